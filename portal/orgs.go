package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"dusthub/node/store"
	"dusthub/schema"
)

// maxOrgs bounds the tree of authorities: a province has some hundred counties, the country some three thousand.
const maxOrgs = 5000

// org reads an authority; an empty code names none.
func (s *Server) org(code string) (*schema.Org, bool, error) {
	row, ok, err := s.opt.Backend.Store().Get("Org", code)
	if err != nil {
		return nil, false, fmt.Errorf("read authority: %w", err)
	}
	o, _ := row.Record.(*schema.Org)
	return o, ok, nil
}

// within says whether a region lies in another, or is the same.
func within(region, outer string) bool {
	return strings.HasPrefix(regionPrefix(region), regionPrefix(outer))
}

// placed gives a regulator of an authority its region, and refuses a region that is not the authority's, and a plant of
// who is not of a plant.
func (s *Server) placed(u *schema.User) error {
	if slices.Contains(plant, u.GetRole()) != (u.GetEnterprise() != "") {
		return invalid("body.enterprise", "the plant of plant people, and nothing for others", u.GetEnterprise())
	}
	if u.GetOrg() == "" {
		return nil
	}
	o, ok, err := s.org(u.GetOrg())
	switch {
	case err != nil:
		return err
	case !ok || !slices.Contains(regulators, u.GetRole()):
		return invalid("body.org", "an authority, of a regulator", u.GetOrg())
	case u.GetRegion() == "":
		u.Region = o.GetRegion()
	case !within(u.GetRegion(), o.GetRegion()):
		return invalid("body.region", "a region of the authority "+o.GetCode(), u.GetRegion())
	}
	return nil
}

// orgs lists the authorities whose region is in sight, by code.
func (s *Server) orgs(ctx context.Context, v *viewer, _ *none) (*Page[*schema.Org], error) {
	page := &Page[*schema.Org]{Items: []*schema.Org{}}
	err := s.opt.Backend.Store().Each(ctx, store.Query{Type: "Org"}, func(r store.Row) (bool, error) {
		o := r.Record.(*schema.Org)
		if strings.HasPrefix(regionPrefix(o.GetRegion()), v.area()) {
			page.Items = append(page.Items, o)
		}
		return len(page.Items) < maxOrgs, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list authorities: %w", err)
	}
	return page, nil
}

type orgInput struct {
	Body struct {
		Code   string `json:"code" maxLength:"32"`
		Name   string `json:"name" minLength:"1" maxLength:"100"`
		Region string `json:"region,omitempty" maxLength:"6" doc:"GB/T 2260; empty is the whole country"`
		Parent string `json:"parent,omitempty" maxLength:"32"`
	}
}

// writeOrg adds or changes an authority. The tree follows the regions: a part lies in the region of the whole, which also
// keeps the tree free of rings.
func (s *Server) writeOrg(ctx context.Context, v *viewer, in *orgInput) (*schema.Org, error) {
	b := in.Body
	o := &schema.Org{Code: b.Code, Name: b.Name, Region: b.Region, Parent: b.Parent}
	if o.GetParent() != "" {
		above, ok, err := s.org(o.GetParent())
		if err != nil {
			return nil, err
		}
		if !ok || !within(o.GetRegion(), above.GetRegion()) || regionPrefix(o.GetRegion()) == regionPrefix(above.GetRegion()) {
			return nil, invalid("body.parent", "an authority whose region holds this one's", b.Parent)
		}
	}
	parts, err := s.opt.Backend.Store().List(ctx, store.Query{Type: "Org", Index: "parent", Prefix: []string{o.GetCode()}, Limit: maxPage})
	if err != nil {
		return nil, fmt.Errorf("list authorities: %w", err)
	}
	for _, r := range parts.Rows {
		if part := r.Record.(*schema.Org); !within(part.GetRegion(), o.GetRegion()) {
			return nil, invalid("body.region", "a region that holds that of "+part.GetCode(), b.Region)
		}
	}
	if _, err := s.put(ctx, v.user, s.change(o)); err != nil {
		return nil, err
	}
	return o, nil
}

type orgKeyInput struct {
	Code string `path:"code" maxLength:"32"`
}

func (s *Server) deleteOrg(ctx context.Context, v *viewer, in *orgKeyInput) (*schema.Org, error) {
	o, ok, err := s.org(in.Code)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, notFound("Org", in.Code)
	}
	used := false
	for typ, q := range map[string]store.Query{"Org": {Type: "Org", Index: "parent", Prefix: []string{in.Code}}, "User": {Type: "User"}} {
		err := s.opt.Backend.Store().Each(ctx, q, func(r store.Row) (bool, error) {
			u, _ := r.Record.(*schema.User)
			used = used || typ == "Org" || u.GetOrg() == in.Code
			return !used, nil
		})
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", typ, err)
		}
	}
	if used {
		return nil, problem(http.StatusConflict, codeRefused, "the authority %s has parts or people", in.Code)
	}
	_, err = s.put(ctx, v.user, &schema.Change{Type: "Org", Key: in.Code, Deleted: true})
	return o, err
}

// RoleView is what a role may do: the identifiers of the routes open to it, as the description of the API names them.
type RoleView struct {
	Role   string   `json:"role" table:"role"`
	Portal Portal   `json:"portal"`
	Routes []string `json:"routes,omitempty"`
}

// roles reads the table of accesses by role.
func (s *Server) roles(context.Context, *viewer, *none) (*Page[*RoleView], error) {
	page := &Page[*RoleView]{Items: []*RoleView{}}
	for _, p := range both {
		for _, role := range rolesOf[p] {
			view := &RoleView{Role: role, Portal: p}
			for _, a := range accesses {
				if slices.Contains(a.Portals, p) && slices.Contains(a.Roles, role) {
					view.Routes = append(view.Routes, a.ID)
				}
			}
			page.Items = append(page.Items, view)
		}
	}
	return page, nil
}

type usersInput struct {
	Prefix string `query:"prefix" maxLength:"32" doc:"beginning of the login"`
	After  string `query:"after"`
	Limit  int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

func (s *Server) users(ctx context.Context, _ *viewer, in *usersInput) (*Page[*UserView], error) {
	q := store.Query{Type: "User", After: in.After, Limit: pageSize(in.Limit)}
	if in.Prefix != "" {
		q.Prefix = []string{in.Prefix}
	}
	page, err := s.opt.Backend.Store().List(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	return pageOf(page.Rows, page.Next, func(r store.Row) *UserView {
		u := r.Record.(*schema.User)
		view := userView(s.openUser(u))
		view.Linkable = s.providerOf(u) != nil
		return view
	}), nil
}

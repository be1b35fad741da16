package portal

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"

	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// searchesMost is how many searches one person keeps.
const searchesMost = 50

// searchParameters are the parameters by which GET /enterprises narrows, in order.
var searchParameters = sync.OnceValue(func() []string {
	var out []string
	for f := range reflect.TypeFor[enterprisesInput]().Fields() {
		if name := f.Tag.Get("query"); name != "" && name != "after" && name != "limit" {
			out = append(out, name)
		}
	}
	return out
})

// ownSearches are a viewer's searches, by name.
func (s *Server) ownSearches(ctx context.Context, v *viewer) ([]*schema.SavedSearch, error) {
	page, err := s.opt.Backend.Store().List(ctx, store.Query{Type: "SavedSearch", Index: "login", Prefix: []string{v.user.GetLogin()}, Limit: maxPage})
	if err != nil {
		return nil, fmt.Errorf("list saved searches: %w", err)
	}
	out := make([]*schema.SavedSearch, 0, len(page.Rows))
	for _, r := range page.Rows {
		out = append(out, r.Record.(*schema.SavedSearch))
	}
	slices.SortFunc(out, func(a, b *schema.SavedSearch) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out, nil
}

func (s *Server) savedSearches(ctx context.Context, v *viewer, _ *none) (*Page[*schema.SavedSearch], error) {
	list, err := s.ownSearches(ctx, v)
	if err != nil {
		return nil, err
	}
	return &Page[*schema.SavedSearch]{Items: list}, nil
}

type savedSearchInput struct {
	Body struct {
		ID      string `json:"id,omitempty" maxLength:"64" doc:"of the search to change; a new one is given one"`
		Name    string `json:"name" minLength:"1" maxLength:"50"`
		Query   string `json:"query" maxLength:"1000" doc:"as the query of GET /enterprises: region=320500&level=red"`
		Default bool   `json:"default,omitempty" doc:"what the list begins with; takes it from another"`
	}
}

// searchText is a query in one form: known parameters with a value, in the order of the alphabet.
func searchText(query string) (string, error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return "", invalid("body.query", "the query of a URL", query)
	}
	for name, values := range q {
		if !slices.Contains(searchParameters(), name) {
			return "", invalid("body.query", "parameters of GET /enterprises: "+strings.Join(searchParameters(), ", "), name)
		}
		if len(values) > 1 {
			return "", invalid("body.query", "each parameter once, several values with commas", name)
		}
		if values[0] == "" {
			delete(q, name)
		}
	}
	return q.Encode(), nil
}

// writeSearch saves a search, or changes one. A name stands for one search, and one search at most is the default.
func (s *Server) writeSearch(ctx context.Context, v *viewer, in *savedSearchInput) (*schema.SavedSearch, error) {
	b := in.Body
	query, err := searchText(b.Query)
	if err != nil {
		return nil, err
	}
	mine, err := s.ownSearches(ctx, v)
	if err != nil {
		return nil, err
	}
	is := &schema.SavedSearch{Id: b.ID, Login: v.user.GetLogin(), Name: strings.TrimSpace(b.Name), Query: query, Default: b.Default, Created: s.nowMs()}
	write := s.change
	if b.ID == "" {
		if len(mine) >= searchesMost {
			return nil, invalid("body", fmt.Sprintf("at most %d saved searches: delete one first", searchesMost), len(mine)+1)
		}
		is.Id, write = s.freshID("Q"), s.created
	} else {
		i := slices.IndexFunc(mine, func(o *schema.SavedSearch) bool { return o.GetId() == b.ID })
		if i < 0 {
			return nil, notFound("SavedSearch", b.ID)
		}
		is.Created = mine[i].GetCreated()
	}
	changes := []*schema.Change{write(is)}
	for _, o := range mine {
		switch {
		case o.GetId() == is.GetId():
		case o.GetName() == is.GetName():
			return nil, invalid("body.name", "a name that none of your searches has", is.GetName())
		case is.GetDefault() && o.GetDefault():
			other := proto.CloneOf(o)
			other.Default = false
			changes = append(changes, s.change(other))
		}
	}
	if _, err := s.put(ctx, v.user, changes...); err != nil {
		return nil, err
	}
	return is, nil
}

// ownSearchScope lets a search's owner through; for all others it is not there.
func ownSearchScope(s *Server, v *viewer, param func(string) string) error {
	id := param("id")
	row, ok, err := s.opt.Backend.Store().Get("SavedSearch", id)
	if err != nil {
		return fmt.Errorf("read saved search: %w", err)
	}
	if q, is := row.Record.(*schema.SavedSearch); !ok || !is || q.GetLogin() != v.user.GetLogin() {
		return notFound("SavedSearch", id)
	}
	return nil
}

func (s *Server) deleteSearch(ctx context.Context, v *viewer, in *idInput) (*Keys, error) {
	if _, err := s.put(ctx, v.user, &schema.Change{Type: "SavedSearch", Key: in.ID, Deleted: true}); err != nil {
		return nil, err
	}
	return &Keys{Keys: []string{in.ID}}, nil
}

func (d *door) searchRoutes() {
	s := d.s
	handle(d, "enterprises", s.enterprises)
	handle(d, "enterprise-facets", s.facets)
	handleRaw(d, "enterprises-export", s.exportEnterprises)
	handle(d, "saved-searches", s.savedSearches)
	handle(d, "saved-search-write", s.writeSearch)
	handle(d, "saved-search-delete", s.deleteSearch)
}

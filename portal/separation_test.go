package portal

import (
	"net/http"
	"slices"
	"testing"

	"dusthub/schema"
)

// GB/T 22239-2019 8.1.4, 三权分立: beyond his own account, nothing that changes something is open to two of the three administrators,
// and none of what is one's own office is open to another.
func TestSeparationOfPowers(t *testing.T) {
	three := []string{siteAdmin, securityAdmin, auditAdmin}
	for _, a := range accesses {
		if a.Roles == nil || slices.Equal(a.Roles, anyone) {
			continue
		}
		var open []string
		for _, role := range three {
			if slices.Contains(a.Roles, role) {
				open = append(open, role)
			}
		}
		if a.Method != http.MethodGet && len(open) > 1 {
			t.Errorf("%s is open to %v", a.ID, open)
		}
		if slices.Contains(open, auditAdmin) && a.ID != "roles" && a.Tag != "audit" {
			t.Errorf("%s is open to who reads the audit", a.ID)
		}
		if a.Tag == "audit" && !slices.Equal(a.Roles, auditors) {
			t.Errorf("%s is open to %v", a.ID, a.Roles)
		}
	}
}

func TestOrgs(t *testing.T) {
	s := newSite(t)
	post := func(login string, o object) int { return s.as(login, http.MethodPost, "/api/v1/orgs", o).status }
	for i, c := range []struct {
		login  string
		org    object
		status int
	}{
		{"security", object{"code": "js", "name": "省厅", "region": "320000"}, 403},
		{"admin", object{"code": "js", "name": "省厅", "region": "320000"}, 200},
		{"admin", object{"code": "js-sz", "name": "市局", "region": "320500", "parent": "js"}, 200},
		{"admin", object{"code": "js-hz", "name": "elsewhere", "region": "330100", "parent": "js"}, 422},
		{"admin", object{"code": "js", "name": "a ring", "region": "320000", "parent": "js-sz"}, 422},
		{"admin", object{"code": "js", "name": "too small for its parts", "region": "320300"}, 422},
		{"admin", object{"code": "x", "name": "no such parent", "region": "320300", "parent": "none"}, 422},
	} {
		if got := post(c.login, c.org); got != c.status {
			t.Errorf("%d: %d, wanted %d", i, got, c.status)
		}
	}
	for login, want := range map[string]int{"ministry": 2, "suzhou": 1, "security": 2} {
		var page Page[*schema.Org]
		s.as(login, http.MethodGet, "/api/v1/orgs", nil).into(t, &page)
		if len(page.Items) != want {
			t.Errorf("%s sees %d authorities, wanted %d", login, len(page.Items), want)
		}
	}
	user := func(login, region string) reply {
		return s.as("security", http.MethodPost, "/api/v1/users", object{"login": login, "name": "新", "role": provinceRegulator, "region": region, "org": "js-sz", "password": rightPassword})
	}
	var u UserView
	user("fresh", "").into(t, &u)
	if u.Region != "320500" {
		t.Errorf("the authority's region is not its people's: %+v", u)
	}
	if got := user("wide", "320000"); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a region beyond the authority's: %d", got.status)
	}
	for code, want := range map[string]int{"js": 409, "js-sz": 409, "none": 404} {
		if got := s.as("admin", http.MethodDelete, "/api/v1/orgs/"+code, nil); got.status != want {
			t.Errorf("delete %s: %d", code, got.status)
		}
	}
}

package portal

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"dusthub/schema"
)

func TestSessionIsIdle(t *testing.T) {
	s := newSite(t)
	s.pass(sessionIdle - time.Second)
	if got := s.as("ministry", http.MethodGet, "/api/v1/session", nil); got.status != http.StatusOK {
		t.Errorf("before the limit: %d", got.status)
	}
	s.pass(sessionIdle)
	if got := s.as("ministry", http.MethodGet, "/api/v1/session", nil); got.status != http.StatusUnauthorized {
		t.Errorf("after the limit: %d", got.status)
	}
}

// One's own sessions are listed and ended by their owner, anybody's by the security administrator, and by nobody else.
func TestSessions(t *testing.T) {
	s := withLogin(t)
	s.enter(Regulator, "duty", rightPassword)
	first := s.tokens["duty"]
	s.enter(Regulator, "duty", rightPassword)
	list := func(login, of string) (out Page[*OpenSession]) {
		s.as(login, http.MethodGet, "/api/v1/sessions?login="+of, nil).into(t, &out)
		return out
	}
	if got := list("duty", ""); len(got.Items) != 2 {
		t.Fatalf("own sessions: %+v", got)
	}
	if got := s.as("ministry", http.MethodGet, "/api/v1/sessions?login=duty", nil); got.status != http.StatusNotFound {
		t.Errorf("another's sessions: %d", got.status)
	}
	path := "/api/v1/sessions/" + sessionID(first)
	for _, c := range []struct {
		login  string
		status int
	}{{"ministry", 404}, {"admin", 404}, {"duty", 200}, {"duty", 404}} {
		if got := s.as(c.login, http.MethodDelete, path, nil); got.status != c.status {
			t.Errorf("%s ends it: %d, wanted %d", c.login, got.status, c.status)
		}
	}
	left := list("security", "duty")
	if len(left.Items) != 1 || left.Items[0].Current {
		t.Fatalf("seen by the security administrator: %+v", left)
	}
	s.as("security", http.MethodDelete, "/api/v1/sessions/"+left.Items[0].ID, nil)
	if got := s.as("duty", http.MethodGet, "/api/v1/session", nil); got.status != http.StatusUnauthorized {
		t.Errorf("revoked: %d", got.status)
	}
}

// GB/T 22239-2019 8.1.4.1: a given password is changed first, a used one never comes again, and none lasts for ever.
func TestPasswordsAge(t *testing.T) {
	s := newSite(t, func(o *Options) { o.FirstChange = true })
	s.as("security", http.MethodPost, "/api/v1/users", object{"login": "fresh", "name": "新", "role": provinceRegulator, "region": "320000", "password": rightPassword})
	s.enter(Regulator, "fresh", rightPassword)
	read := func() reply { return s.as("fresh", http.MethodGet, "/api/v1/overview", nil) }
	if got := read(); got.status != http.StatusForbidden || got.problem(t).Code != codeDue {
		t.Errorf("before the change: %d %s", got.status, got.body)
	}
	change := func(old, fresh string) int {
		return s.as("fresh", http.MethodPost, "/api/v1/session/password", object{"old": old, "new": fresh}).status
	}
	if got := change(rightPassword, rightPassword); got != http.StatusUnprocessableEntity {
		t.Errorf("the same again: %d", got)
	}
	if got := change(rightPassword, "Another-Horse-9"); got != http.StatusOK {
		t.Fatalf("change: %d", got)
	}
	if got := change("Another-Horse-9", rightPassword); got != http.StatusUnprocessableEntity {
		t.Errorf("the one before: %d", got)
	}
	if got := read(); got.status != http.StatusOK {
		t.Errorf("after the change: %d", got.status)
	}
	s.pass(passwordFor + time.Second)
	s.enter(Regulator, "fresh", "Another-Horse-9")
	if got := read(); got.status != http.StatusForbidden {
		t.Errorf("after %s: %d", passwordFor, got.status)
	}
}

// T3: every change that is tried, every read of personal data and every export is in the audit, which one role reads.
func TestAudit(t *testing.T) {
	s := newSite(t)
	s.as("manager-a", http.MethodPost, "/api/v1/alarms/AL-"+plantA+"/actions", object{"action": "acknowledge"})
	s.as("suzhou", http.MethodPost, "/api/v1/users", object{})
	for range 3 {
		s.as("province", http.MethodGet, "/api/v1/enterprises/"+plantA, nil)
	}
	s.as("province", http.MethodGet, "/api/v1/alarms", nil)
	s.put(&schema.AuditEntry{Id: "L-formula", Time: s.now().UnixMilli(), Actor: "=cmd()", Action: "login", Result: "failed"})
	find := func(query string) []*schema.AuditEntry {
		var page Page[*schema.AuditEntry]
		s.as("audit", http.MethodGet, "/api/v1/audit?"+query, nil).into(t, &page)
		return page.Items
	}
	for query, want := range map[string]int{
		"actor=manager-a": 1, "actor=suzhou&result=refused": 1, "actor=province": 1, "action=alarm-action": 1, "subject=/enterprises/" + plantA: 1, "actor=nobody": 0, "actor=province&action=login": 0,
	} {
		if got := find(query); len(got) != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	file := s.as("audit", http.MethodGet, "/api/v1/audit/export", nil)
	if file.status != http.StatusOK || !strings.HasPrefix(file.header.Get("Content-Type"), "text/csv") || !strings.Contains(string(file.body), "alarm-action") || !strings.Contains(string(file.body), "'=cmd()") {
		t.Errorf("export: %d %v %s", file.status, file.header, file.body)
	}
	if got := find("action=audit-export"); len(got) != 1 {
		t.Errorf("the export is not in the audit: %v", got)
	}
	for _, login := range []string{"admin", "security", "ministry"} {
		for _, path := range []string{"/api/v1/audit", "/api/v1/audit/export", "/api/v1/records/AuditEntry"} {
			if got := s.as(login, http.MethodGet, path, nil); got.status != http.StatusForbidden && got.status != http.StatusNotFound {
				t.Errorf("%s %s: %d", login, path, got.status)
			}
		}
	}
}

// The security administrator moves people, whose sessions end; a place must fit the role, and nobody raises himself.
func TestMovePeople(t *testing.T) {
	s := newSite(t)
	move := func(login string, body object) int {
		return s.as("security", http.MethodPatch, "/api/v1/users/"+login, body).status
	}
	for i, c := range []struct {
		login  string
		body   object
		status int
	}{
		{"suzhou", object{}, 422},
		{"suzhou", object{"role": plantManager}, 422},
		{"suzhou", object{"role": "no_such_role"}, 422},
		{"security", object{"role": auditAdmin}, 422},
		{"suzhou", object{"role": ministryRegulator, "region": "", "name": "部级"}, 200},
	} {
		if got := move(c.login, c.body); got != c.status {
			t.Errorf("%d: %d, wanted %d", i, got, c.status)
		}
	}
	if got := s.as("suzhou", http.MethodGet, "/api/v1/overview", nil); got.status != http.StatusUnauthorized {
		t.Errorf("a moved person's session: %d", got.status)
	}
	var page Page[*UserView]
	s.as("security", http.MethodGet, "/api/v1/users?prefix=suzhou", nil).into(t, &page)
	if u := page.Items[0]; u.Name != "部级" || u.Role != ministryRegulator || u.Region != "" {
		t.Errorf("moved: %+v", u)
	}
}

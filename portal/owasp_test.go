package portal

import "testing"

// The OWASP API Security Top 10 of 2023, each risk with the tests that hold it off. Most of them are made from the table of
// accesses and from the OpenAPI description, so that a new route is tested without being named here.
var owasp = []struct {
	risk  string
	tests map[string]func(*testing.T)
}{
	{"API8:2023 Security Misconfiguration", map[string]func(*testing.T){
		"headers of every kind of answer":    headersOfAnswers,
		"strict content policy":              strictPolicy,
		"no other origin is let in":          noOtherOrigin,
		"methods that nobody needs":          strayMethods,
		"errors tell nothing of the program": quietErrors,
	}},
}

func TestOWASP(t *testing.T) {
	for _, r := range owasp {
		t.Run(r.risk, func(t *testing.T) {
			for name, test := range r.tests {
				t.Run(name, test)
			}
		})
	}
}

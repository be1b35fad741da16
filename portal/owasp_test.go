package portal

import "testing"

// The OWASP API Security Top 10 of 2023, each risk with the tests that hold it off. Most of them are made from the table of
// accesses and from the OpenAPI description, so that a new route is tested without being named here.
var owasp = []struct {
	risk  string
	tests map[string]func(*testing.T)
}{
	{"API1:2023 Broken Object Level Authorization", map[string]func(*testing.T){
		"ids of plants out of sight, on every route": foreignIDs,
		"files of other plants named in a step":      foreignFiles,
		"records of every type":                      recordsOfEveryType,
		"sessions, channels, messages of others":     onesOwn,
	}},
	{"API2:2023 Broken Authentication", map[string]func(*testing.T){
		"a change needs the session's own proof": csrfOfEveryChange,
		"a login from another site's form":       loginForm,
		"brute force":                            bruteForce,
		"one password on many logins":            spreadGuesses,
		"who exists":                             whoExists,
		"session fixation, cookie":               fixation,
		"token elsewhere than in its cookie":     tokenElsewhere,
		"sessions that ended":                    endedSessions,
	}},
	{"API3:2023 Broken Object Property Level Authorization", map[string]func(*testing.T){
		"fields that are not asked for, on every route": massAssignment,
		"fields of records":                             recordsAreTheirForm,
		"secrets in answers, of every route":            secretsInAnswers,
	}},
	{"API4:2023 Unrestricted Resource Consumption", map[string]func(*testing.T){
		"bodies, on every route": largeBodies,
		"files":                  largeFiles,
		"pages, of every list":   largePages,
		"deep, wide and long":    deepAndWide,
		"bombs: workbook, picture, YAML, condition": bombs,
		"a listener's limits, slow clients":         slowClients,
	}},
	{"API5:2023 Broken Function Level Authorization", map[string]func(*testing.T){
		"regulators' routes on the enterprise listener": regulatorRoutesFromPlants,
		"other ways to write a path":                    otherPaths,
		"separation of powers":                          TestSeparationOfPowers,
	}},
	{"API6:2023 Unrestricted Access to Sensitive Business Flows", map[string]func(*testing.T){
		"messages, draws and channels are bounded": boundedFlows,
	}},
	{"API7:2023 Server Side Request Forgery", map[string]func(*testing.T){ // node/notify, TestForgedAddresses and others, call them
		"channels that lead inside": channelsInside,
	}},
	{"API8:2023 Security Misconfiguration", map[string]func(*testing.T){
		"headers of every kind of answer":          headersOfAnswers,
		"strict content policy":                    strictPolicy,
		"no other origin is let in":                noOtherOrigin,
		"methods that nobody needs":                strayMethods,
		"errors tell nothing of the program":       quietErrors,
		"injection, in every parameter of a query": injectedQueries,
		"injection, in every parameter of a path":  injectedPaths,
		"injection, in every text of a body":       injectedBodies,
		"path traversal: files of the front end":   traversal,
	}},
	{"API9:2023 Improper Inventory Management", map[string]func(*testing.T){
		"routes and description, both ways": TestEveryRouteHasAnAccess,
		"a portal describes its own alone":  describedAlone,
	}},
	{"API10:2023 Unsafe Consumption of APIs", map[string]func(*testing.T){
		"files that are two things at once": polyglots,
		"names of files":                    fileNames,
		"workbooks that attack the reader":  hostileWorkbooks,
		"cells that would be formulas":      formulas,
		"injection, in cells of a workbook": injectedCells,
		"texts come back as texts":          textsAsTexts,
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

package schema

import (
	"regexp"
	"strings"
)

// Patterns are the forms of the codes sites give out (domain 2.5, proposed by us). They are data, so that the
// official form can be put in its place when it is known; set them before the first record is judged.
var Patterns = map[string]*regexp.Regexp{
	"enterprise_code": regexp.MustCompile(`^\d{6}03\d{4}$`),                     // county, 03 = dust, number
	"workshop_code":   regexp.MustCompile(`^\d{6}03\d{4}W\d{2}$`),               // enterprise, W, number
	"system_code":     regexp.MustCompile(`^\d{6}03\d{4}S\d{2}$`),               // enterprise, S, number
	"collector_code":  regexp.MustCompile(`^\d{6}03\d{4}C\d{3}$`),               // enterprise, C, number
	"gateway_code":    regexp.MustCompile(`^\d{6}03\d{4}G\d{2}$`),               // enterprise, G, number
	"metric_code":     regexp.MustCompile(`^\d{6}03\d{4}C\d{3}[A-Z]\d{4}$`),     // collector, kind, number
	"site_id":         regexp.MustCompile(`^[a-z][a-z0-9-]{1,31}$`),             // also a certificate's CN
	"login":           regexp.MustCompile(`^[a-z][a-z0-9._-]{2,31}$`),           // unique at its site
	"industry":        regexp.MustCompile(`^[A-T]?\d{2,4}$`),                    // GB/T 4754-2017
	"gb28181":         regexp.MustCompile(`^\d{10}(11[1-8]|13[1-9]|200)\d{7}$`), // GB/T 28181 annex: device types
}

const (
	usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY" // GB 32100-2015: no I O S V Z
	usccModulus  = 31
	orgModulus   = 11
)

var (
	usccForm    = regexp.MustCompile(`^[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}$`)
	usccWeights = [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28}
	orgWeights  = [8]int{3, 7, 9, 10, 5, 8, 4, 2}
)

// USCCForm says whether s has the form of a unified social credit code (GB 32100-2015), whatever its check characters.
func USCCForm(s string) bool { return usccForm.MatchString(s) }

// USCCCheck says whether both check characters of a code of the right form are right: the 18th over the code
// (GB 32100-2015) and the 9th of the organisation code within it (GB 11714).
func USCCCheck(s string) bool {
	if !USCCForm(s) {
		return false
	}
	sum := 0
	for i, w := range usccWeights {
		sum += strings.IndexByte(usccAlphabet, s[i]) * w
	}
	if usccAlphabet[(usccModulus-sum%usccModulus)%usccModulus] != s[17] {
		return false
	}
	return orgCheck(s[8:17])
}

func orgCheck(s string) bool {
	sum := 0
	for i, w := range orgWeights {
		c := s[i]
		v := int(c - '0')
		if c >= 'A' {
			v = int(c-'A') + 10
		}
		sum += v * w
	}
	want := byte('0')
	switch r := orgModulus - sum%orgModulus; r {
	case 10:
		want = 'X'
	case orgModulus:
	default:
		want = byte('0' + r)
	}
	return s[8] == want
}

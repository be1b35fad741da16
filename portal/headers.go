package portal

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// What pages may do is said in one file, which the browser tests' fixture reads too.
//
//go:embed web/policy.json
var policyFile []byte

// pagePolicy is what a page may load, and which abilities of the browser it may use.
type pagePolicy struct {
	Content     []string            `json:"content"`     // directives of the content security policy
	Permissions map[Portal][]string `json:"permissions"` // what a portal may use
	Never       []string            `json:"never"`       // what is off where it is not named
}

var pages = func() (p pagePolicy) {
	if err := json.Unmarshal(policyFile, &p); err != nil {
		panic(fmt.Sprintf("portal: web/policy.json: %v", err)) // a fault of the program
	}
	return p
}()

// answerPolicy is of everything that is no page: an answer that a browser is led to as a page loads and runs nothing.
const answerPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

// contentPolicy is the policy of the front end's pages.
func contentPolicy() string { return strings.Join(pages.Content, "; ") }

// permissions is the header Permissions-Policy of a portal: check-ins of the plants need a camera and a place (F3.5).
func permissions(p Portal) string {
	out := slices.Clone(pages.Permissions[p])
	for _, name := range pages.Never {
		if !slices.ContainsFunc(out, func(allowed string) bool { return strings.HasPrefix(allowed, name+"=") }) {
			out = append(out, name+"=()")
		}
	}
	return strings.Join(out, ", ")
}

var (
	styleElement  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	scriptElement = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// hashesIn names what stands in elements of a page as a content policy does.
func hashesIn(page string, element *regexp.Regexp) string {
	out := ""
	for _, m := range element.FindAllStringSubmatch(page, -1) {
		d := sha256.Sum256([]byte(m[1])) // the browsers' choice, not ours
		out += " 'sha256-" + base64.StdEncoding.EncodeToString(d[:]) + "'"
	}
	return out
}

// docsPolicy lets the API's page, which needs nothing but itself, have its own style and its own search, and send nothing.
var docsPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src" + hashesIn(docsPage, styleElement) + "; script-src" + hashesIn(docsPage, scriptElement)

// secure sets the headers every answer has. Handlers of pages set their own content policy over it.
func (d *door) secure(c *fiber.Ctx) error {
	d.armour(c)
	return c.Next()
}

// armour sets the headers; also of what is refused before any handler is reached.
func (d *door) armour(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentSecurityPolicy, answerPolicy)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set(fiber.HeaderXFrameOptions, "DENY")
	c.Set("Permissions-Policy", d.permissions)
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	if d.s.opt.Secure {
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
	if p := c.Path(); strings.HasPrefix(p, "/api/") || strings.HasPrefix(p, "/openapi") {
		c.Set(fiber.HeaderCacheControl, "no-store")
	}
}

package conformance

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated page anew")

const pagePath = "../docs/conformance.md"

// TestPageListsTheChecks keeps docs/conformance.md equal to the checks (make generate writes it).
func TestPageListsTheChecks(t *testing.T) {
	page := checksPage()
	if *update {
		must(t, os.WriteFile(pagePath, []byte(page), 0o644))
	}
	got, err := os.ReadFile(pagePath)
	must(t, err)
	if string(got) != page {
		t.Errorf("%s is not what the checks say: run `make generate`", pagePath)
	}
}

// TestEveryCheckSaysWhatItIs: a report is read by people who do not read the code.
func TestEveryCheckSaysWhatItIs(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Checks() {
		if c.Section == "" || c.Sent == "" || c.Expected == "" || c.Clause() == "" || c.run == nil {
			t.Errorf("%s lacks a section, what is sent, what is expected, a clause, or a body", c.ID)
		}
		if seen[c.ID] {
			t.Errorf("%s is there twice", c.ID)
		}
		seen[c.ID] = true
	}
}

func checksPage() string {
	var b strings.Builder
	b.WriteString(pageHead)
	for _, c := range Checks() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", c.ID, c.Section, c.Clause(), c.Sent, c.Expected)
	}
	fmt.Fprintf(&b, "\n%d checks.\n", len(Checks()))
	return b.String()
}

const pageHead = "# Conformance\n\n" +
	`What an auditor runs against a site, of this program or another, to learn whether its parent side follows the
[protocol](protocol.md). Generated from the checks (package conformance) by ` + "`make generate`" + `; do not edit.

## How to run it

    dusthub conformance --site ministry --addr HOST:PORT --identity DIR [--only CHECK] [--json]
    dusthub conformance --site ministry --addr HOST:PORT --ca DIR

The auditor needs the certificates of a site made for the audit, whose id begins with ` + "`audit`" + ` (` + "`--identity`" + `); its records at the
audited site stand under that id. Some checks need more: a second such site (` + "`--other-identity`" + `) and a gateway
(` + "`--gateway-identity`" + `). Where the CA is at hand (` + "`--ca`" + `, as in an acceptance test), the suite makes what is missing; what it can
neither be given nor make is skipped, and the report says so. The program ends with 1 when a check failed.

The demonstration's CA is in ` + "`demo-data/pki/ca`" + `: while ` + "`make demo`" + ` runs, any of its sites can be audited with that.

The suite writes no plant, no sample and no alarm. What it leaves at the site: the copy of the auditor's ledger, and some
Quarantine records addressed to the auditor. It does not audit the child side, the live lane, sealed chunks (section 3.4),
attachments, or what survives a crash (section 10, points 2, 3 and 6): for these the audited site must be given a child with plants and be
interrupted, which ` + "`dusthub verify`" + ` then judges.

## Checks

Section is that of the protocol, clause that of the requirements.

| check | section | clause | what the auditor sends | what a site that conforms does |
| --- | --- | --- | --- | --- |
`

package schema

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files and generated pages anew")

const pagePath = "../docs/data-dictionary.md"

// TestDictionaryPage keeps docs/data-dictionary.md equal to the definitions (make generate writes it).
func TestDictionaryPage(t *testing.T) {
	page := dictionaryPage()
	if *update {
		if err := os.WriteFile(pagePath, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page {
		t.Errorf("%s is not what the definitions say: run `make generate`", pagePath)
	}
}

func dictionaryPage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Data dictionary 数据字典\n\nSchema version %s. Generated from schema/proto and schema/tables by `make generate`; do not edit.\n", Version)
	b.WriteString("Sources: F found in a public source, GK known to us but not verified, P proposed by us, D derived.\n")
	for _, typ := range Types() {
		e := Dictionary(typ)
		fmt.Fprintf(&b, "\n## %s %s\n\n%s, %s, key `%s`. %s\n\n", e.Type, e.Zh, e.Group, e.Scope, e.Key, e.Clause)
		b.WriteString("| field | 名称 | kind | unit | rule | table | source |\n| --- | --- | --- | --- | --- | --- | --- |\n")
		for _, f := range e.Fields {
			kind := f.Kind
			if f.List {
				kind = "list of " + kind
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", f.Name, f.Zh, kind, f.Unit, strings.ReplaceAll(f.Rule, "|", "\\|"), f.Table, f.Source)
		}
	}
	for _, name := range Tables() {
		if name == "region" {
			continue // 3,351 rows of GB/T 2260: see schema/tables/region.txt
		}
		t, _ := Table(name)
		fmt.Fprintf(&b, "\n## Table %s\n\n| code | 名称 | English | source | confidence |\n| --- | --- | --- | --- | --- |\n", name)
		for _, c := range t.GetCodes() {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", c.GetCode(), c.GetName(), c.GetNameEn(), c.GetSource(), c.GetConfidence())
		}
	}
	return b.String()
}

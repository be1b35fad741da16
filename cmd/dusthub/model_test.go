package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dusthub/crypto/pki"
)

func written(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestModelCommands: a document is printed, checked, signed, and its signature verified, as a publisher and a receiver do.
func TestModelCommands(t *testing.T) {
	dir := t.TempDir()
	ca, err := pki.NewCA(filepath.Join(dir, "ca"), "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, site := range []string{"ministry", "jiangsu"} {
		if err := ca.Issue(filepath.Join(dir, site), site, pki.UnitSite, []string{"127.0.0.1"}, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := (modelPrintCmd{}).Run(&out); err != nil {
		t.Fatal(err)
	}
	document := bytes.Clone(out.Bytes())
	file := written(t, dir, "model.yaml", document)
	out.Reset()
	if err := (&modelCheckCmd{File: file}).Run(&out); err != nil || !strings.Contains(out.String(), "DUST-RISK-1.0") {
		t.Fatalf("check: %v, %s", err, &out)
	}
	out.Reset()
	if err := (&modelSignCmd{File: file, Identity: filepath.Join(dir, "ministry")}).Run(&out); err != nil {
		t.Fatal(err)
	}
	signature := written(t, dir, "model.sig", out.Bytes())
	changed := written(t, dir, "changed.yaml", bytes.Replace(document, []byte("25"), []byte("26"), 1))
	for _, c := range []struct {
		name, file, publisher string
		ok                    bool
	}{
		{"as signed", file, "", true}, {"by the ministry", file, "ministry", true}, {"by another site", file, "jiangsu", false}, {"a changed document", changed, "", false},
	} {
		out.Reset()
		err := (&modelVerifyCmd{File: c.file, Signature: signature, Identity: filepath.Join(dir, "jiangsu"), Publisher: c.publisher}).Run(&out)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v, %s", c.name, err, &out)
		}
	}
	bad := written(t, dir, "bad.yaml", bytes.Replace(document, []byte("weight:"), []byte("wait:"), 1))
	out.Reset()
	if err := (&modelCheckCmd{File: bad}).Run(&out); err == nil || !strings.Contains(out.String(), "bad.yaml:") {
		t.Errorf("a bad document: %v, %s", err, &out)
	}
}

package portal

import (
	"archive/zip"
	"bytes"
	"image"
	"image/jpeg"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dusthub/portal/sheet"
	"dusthub/schema"

	"google.golang.org/protobuf/reflect/protoreflect"
)

func writeFile(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// polyglots: what a file says of itself decides; a page, a script or an archive in a picture's clothes is not kept, and what is kept is never
// shown as a page.
func polyglots(t *testing.T) {
	s := newProbed(t)
	png, html := pictureOf("suzhou"), "<html><script>alert(1)</script></html>"
	jpegHead := "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
	archive := string(zipped(t, map[string]io.Reader{"evil.class": strings.NewReader("x")}))
	for name, f := range map[string]struct{ media, content string }{
		"a page": {"image/png", html}, "a page as itself": {"text/html", html}, "SVG": {"image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`}, "SVG as a picture": {"image/png", "<svg/>"},
		"GIF and script": {"image/png", "GIF89a/*" + html + "*/=1;"}, "GIF as itself": {"image/gif", "GIF89a" + html}, "JPEG's head before a page": {"image/jpeg", jpegHead + html}, "JPEG's head before an archive": {"image/jpeg", jpegHead + archive},
		"PNG's head before a page": {"image/png", "\x89PNG\r\n\x1a\n" + html},
		"archive":                  {"application/pdf", archive}, "program": {"image/png", "MZ\x90\x00"}, "script": {"image/jpeg", "#!/bin/sh"}, "other type than said": {"image/jpeg", string(png)}, "no type": {"", string(png)}, "two types": {"image/png, text/html", string(png)},
		"PDF that runs a script": {"application/pdf", "%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>>>endobj\n%%EOF"}, "PDF that starts a program": {"application/pdf", "%PDF-1.7\n1 0 obj<</S/Launch/F(cmd.exe)>>endobj\n%%EOF"},
		"PDF with a file in it": {"application/pdf", "%PDF-1.7\n1 0 obj<</Type/EmbeddedFile>>endobj\n%%EOF"}, "PDF's head before a page": {"application/pdf", "%PDF-1.7" + html}, "PDF with an escaped name": {"application/pdf", "%PDF-1.7\n1 0 obj<</S/J#61vaScript>>endobj\n%%EOF"}, "PDF without an end": {"application/pdf", "%PDF-1.7\n1 0 obj<<>>endobj"}, "half a PNG": {"image/png", string(png[:len(png)-6])},
		"WebP's head before a page": {"image/webp", "RIFF\x00\x00\x00\x00WEBPVP8 " + html}, "nothing": {"image/png", ""},
	} {
		got := s.on(Regulator, "suzhou", http.MethodPost, "/api/v1/attachments", nil, withBody(f.media, f.content), func(r *http.Request) { r.Header.Set("X-File-Name", "a.png") })
		if got.status/100 != 4 {
			t.Errorf("%s was kept: %d %s", name, got.status, got.body)
		}
	}
	var camera bytes.Buffer
	if err := jpeg.Encode(&camera, image.NewGray(image.Rect(0, 0, 9, 9)), nil); err != nil {
		t.Fatal(err)
	}
	webp := "RIFF\x1e\x00\x00\x00WEBPVP8L\x11\x00\x00\x00/\x03\x00\x00\x00\x07\x10\xfd\x8f\xfe\x07\x22\xa2\xff\x01\x00\x00\x00"
	for media, picture := range map[string]string{"image/png": string(png), "image/jpeg": camera.String(), "image/webp": webp} {
		for name, behind := range map[string]string{"nothing": "", "archive (GIFAR)": archive, "page": html, "program": "<?php system($_GET[1]); ?>", "film of a telephone": "\x00\x00\x00\x18ftypmp42", "second picture": picture} {
			var a schema.Attachment
			s.on(Regulator, "suzhou", http.MethodPost, "/api/v1/attachments?enterprise="+plantA, nil, withBody(media, picture+behind)).into(t, &a)
			if got := s.as("suzhou", http.MethodGet, "/api/v1/attachments/"+a.GetId(), nil); string(got.body) != picture || a.GetSize() != int64(len(picture)) {
				t.Errorf("%s with %s behind it: %d of %d bytes are kept", media, name, len(got.body), len(picture))
			}
		}
	}
	for _, accept := range []string{"", "text/html"} {
		got := s.as("suzhou", http.MethodGet, "/api/v1/attachments/"+probeAttachment, nil, func(r *http.Request) { r.Header.Set("Accept", accept) })
		if h := got.header; h.Get("Content-Type") != "image/png" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") != answerPolicy {
			t.Errorf("shown as %v", h)
		}
	}
}

// fileNames: a name is a name, without what leads elsewhere, ends a header or hides an ending.
func fileNames(t *testing.T) {
	s := newProbed(t)
	for i, name := range []string{"../../etc/passwd", `..\..\win.ini`, "a\r\nSet-Cookie: x=1", "%2e%2e%2f%2e%2e%2fpasswd", "\u202egnp.exe", `a"; filename="b.html`, "/etc/passwd", ".", "..", strings.Repeat("长", 300), "CON", "<script>.png", "a;b=c.png"} {
		got := s.as("suzhou", http.MethodPost, "/api/v1/attachments?enterprise="+plantA, pictureOf(actors[i%len(actors)].login), func(r *http.Request) { r.Header["X-File-Name"] = []string{name} })
		if got.status/100 != 2 {
			continue // refused
		}
		var a schema.Attachment
		got.into(t, &a)
		if strings.ContainsAny(a.GetName(), "/\\\"<>\r\n\x00\u202e") || a.GetName() == ".." || a.GetName() == "." || len([]rune(a.GetName())) > maxFileName {
			t.Errorf("%q became %q", name, a.GetName())
		}
		down := s.as("suzhou", http.MethodGet, "/api/v1/attachments/"+a.GetId(), nil)
		if d := down.header.Get("Content-Disposition"); down.status != http.StatusOK || !strings.HasPrefix(d, "attachment; filename*=UTF-8''") || strings.Contains(d[len("attachment; filename*=UTF-8''"):], ";") || down.header.Get("Set-Cookie") != "" {
			t.Errorf("%q: %d %q", name, down.status, d)
		}
	}
	if got := fileName(".."); got == ".." {
		t.Error("a name that leads up is kept")
	}
}

// hostileWorkbooks: what a workbook names outside itself is not read, and what it says is not run.
func hostileWorkbooks(t *testing.T) {
	s := newProbed(t)
	secret := writeFile(t, t.TempDir(), "secret", "a secret of this machine")
	sheet := func(cell, head string) string {
		return head + `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="2"><c r="A2" t="inlineStr"><is><t>code</t></is></c><c r="B2" t="inlineStr"><is><t>name</t></is></c></row><row r="4"><c r="A4" t="inlineStr"><is><t>` + plantA + `</t></is></c><c r="B4" t="inlineStr"><is><t>` + cell + `</t></is></c></row></sheetData></worksheet>`
	}
	entity := func(dtd string) string { return sheet("&e;", `<?xml version="1.0"?><!DOCTYPE x [`+dtd+`]>`) }
	for name, body := range map[string][]byte{
		"external entity": withSheet(t, strings.NewReader(entity(`<!ENTITY e SYSTEM "file://`+secret+`">`)), nil), "entity of the web": withSheet(t, strings.NewReader(entity(`<!ENTITY e SYSTEM "http://127.0.0.1:9/x">`)), nil),
		"entities of entities": withSheet(t, strings.NewReader(entity(`<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY e "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">`)), nil),
		"no workbook":          []byte("PK\x03\x04"), "an archive of something else": zipped(t, map[string]io.Reader{"a.txt": strings.NewReader("x")}), "a page": []byte("<html>"), "nothing": {},
	} {
		got := s.importing(body)
		if strings.Contains(name, "entit") && got.status == http.StatusOK {
			got.status = http.StatusUnprocessableEntity // read as nothing: the cell is empty, and an empty cell changes nothing
		}
		if got.status/100 != 4 || strings.Contains(string(got.body), "a secret of") || strings.Contains(string(got.body), "xxxxxxxxxxxx") {
			t.Errorf("%s: %d %s", name, got.status, clip(string(got.body), 300))
		}
	}
	row, _, err := s.server.opt.Backend.Store().Get("Enterprise", plantA)
	if name := row.Record.(*schema.Enterprise).GetName(); err != nil || name != "企业0001" {
		t.Errorf("the plant is called %q: %v", name, err)
	}
	// Parts whose names lead elsewhere are not written anywhere: a workbook is read in memory.
	got := s.importing(withSheet(t, nil, map[string]string{"../../../tmp/dusthub-slipped": "x", "/tmp/dusthub-slipped": "x", `..\..\dusthub-slipped`: "x", "xl/../../dusthub-slipped": "x"}))
	if got.status >= 500 {
		t.Errorf("parts that lead elsewhere: %d %s", got.status, got.body)
	}
	for _, path := range []string{"/tmp/dusthub-slipped", "../../../tmp/dusthub-slipped", "dusthub-slipped", "../dusthub-slipped"} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s was written", path)
		}
	}
}

// injectedCells: a cell holds a text, whatever the text.
func injectedCells(t *testing.T) {
	s := newProbed(t)
	for name, value := range injected {
		for _, field := range []string{"name", "address", "code", "region", "uscc"} {
			e := plantRecords(plantA, probeTime)[0].(*schema.Enterprise)
			m := e.ProtoReflect()
			fd := m.Descriptor().Fields().ByName(protoreflect.Name(field))
			if fd == nil {
				continue
			}
			m.Set(fd, protoreflect.ValueOfString(value))
			var b bytes.Buffer
			if err := sheet.Write(&b, "Enterprise", []schema.Record{e}); err != nil {
				continue // no such cell can be made
			}
			withstood(t, field+"="+name, value, actors[2], s.importing(b.Bytes()))
		}
	}
}

// formulas: what a person wrote is a text in whatever a site exports, however it begins.
func formulas(t *testing.T) {
	s := newProbed(t)
	begins := []string{`=cmd|'/c calc'!A0`, "+1+1", "-2+3", "@SUM(1)", "\t=1+1", "\r=1", `=HYPERLINK("http://evil.example","x")`, "＝1+1"}
	for _, name := range begins {
		e := plantRecords(plantA, probeTime)[0].(*schema.Enterprise)
		e.Name = name
		s.put(e)
		got := s.as("suzhou", http.MethodGet, "/api/v1/records/Enterprise/export", nil)
		z, err := zip.NewReader(bytes.NewReader(got.body), int64(len(got.body)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			part, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(part, []byte("<f>")) || bytes.Contains(part, []byte("<f ")) {
				t.Errorf("%q is a formula in %s", name, f.Name)
			}
		}
	}
	for i, actor := range begins {
		s.put(&schema.AuditEntry{Id: "L-formula" + string(rune('a'+i)), Time: probeTime, Actor: actor, Action: "x", Result: "ok"})
	}
	for line := range strings.Lines(string(s.as("audit", http.MethodGet, "/api/v1/audit/export", nil).body)) {
		for cell := range strings.SplitSeq(strings.TrimSpace(line), ",") {
			if cell = strings.Trim(cell, `"`); cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
				t.Errorf("a cell of the audit is a formula: %s", line)
			}
		}
	}
}

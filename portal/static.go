package portal

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"dusthub/crypto/sm"

	"github.com/andybalholm/brotli"
	"github.com/gofiber/fiber/v2"
)

// asset is one file of the front end, held in memory: it is embedded in the program anyway.
type asset struct {
	data      []byte
	packed    map[string][]byte // by content coding; those that make it smaller by a tenth or more
	mediaType string
	tag       string
}

type assets map[string]asset

const notBuilt = `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>dusthub</title><p>front end not built: make web</p><p><a href="/api/docs">API</a></p></html>`

// mediaTypes that systems know by other names, or not at all.
var mediaTypes = map[string]string{
	".webmanifest": "application/manifest+json", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8",
	".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2",
}

func mediaTypeOf(name string) string {
	ext := path.Ext(name)
	if t, ok := mediaTypes[ext]; ok {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}

func loadAssets(from fs.FS) (assets, error) {
	out := assets{}
	if from == nil {
		return out, nil
	}
	err := fs.WalkDir(from, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(e.Name(), ".") && name != "." { // what the build keeps for itself
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() {
			return nil
		}
		b, err := fs.ReadFile(from, name)
		if err != nil {
			return fmt.Errorf("read asset: %w", err)
		}
		d := sm.SM3(b)
		f := asset{data: b, mediaType: mediaTypeOf(name), tag: `"` + hex.EncodeToString(d[:16]) + `"`}
		f.packed, err = packed(b)
		out["/"+name] = f
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("load the front end: %w", err)
	}
	return out, nil
}

// codings are the content codings, the best first. Files are compressed once, when the program starts: brotli's middle level takes a
// tenth of the time of its last and loses some percent.
var codings = []struct {
	name string
	to   func(io.Writer) io.WriteCloser
}{
	{"br", func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 6) }},
	{"gzip", func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }},
}

// packed compresses a file by every coding that makes it smaller by a tenth or more.
func packed(b []byte) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, c := range codings {
		var small bytes.Buffer
		w := c.to(&small)
		if _, err := w.Write(b); err != nil {
			return nil, fmt.Errorf("compress asset: %w", err)
		}
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("compress asset: %w", err)
		}
		if small.Len() <= len(b)*9/10 {
			out[c.name] = small.Bytes()
		}
	}
	return out, nil
}

// best is the smallest form of a file that the client takes, and its coding, empty for the file as it is.
func (f asset) best(c *fiber.Ctx) (coding string, data []byte) {
	if c.Get(fiber.HeaderAcceptEncoding) == "" {
		return "", f.data
	}
	for _, k := range codings {
		if b, ok := f.packed[k.name]; ok && c.AcceptsEncodings(k.name) == k.name {
			return k.name, b
		}
	}
	return "", f.data
}

// handler serves the files. Any path that is no file is a place within the portal's page, but for the API's paths and
// for missing assets: answering those with the page would hide the error.
func (a assets) handler(p Portal) fiber.Handler {
	page, policy := "/"+string(p)+".html", contentPolicy()
	return func(c *fiber.Ctx) error {
		name := c.Path()
		if c.Method() != http.MethodGet && c.Method() != http.MethodHead || strings.HasPrefix(name, "/api/") {
			return fiber.ErrNotFound
		}
		f, ok := a[path.Clean(name)]
		if !ok && strings.HasPrefix(name, "/assets/") {
			return fiber.ErrNotFound
		}
		if !ok {
			f, ok = a[page]
			name = page
		}
		if !ok {
			f = asset{data: []byte(notBuilt), mediaType: "text/html; charset=utf-8"}
		}
		c.Set(fiber.HeaderContentType, f.mediaType)
		c.Set(fiber.HeaderContentSecurityPolicy, policy) // also of scripts: a service worker is held to that of its own file
		if strings.HasPrefix(name, "/assets/") {
			// Their names hold a digest of their content.
			c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
		} else {
			c.Set(fiber.HeaderCacheControl, "no-cache") // asked for anew each time, sent anew when it changed; it holds no data
		}
		if f.tag != "" {
			c.Set(fiber.HeaderETag, f.tag)
			if c.Get(fiber.HeaderIfNoneMatch) == f.tag {
				return c.SendStatus(http.StatusNotModified)
			}
		}
		c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
		coding, data := f.best(c)
		if coding != "" {
			c.Set(fiber.HeaderContentEncoding, coding)
		}
		return c.Send(data)
	}
}

// Package web carries the front end of both portals, built by npm into dist and embedded here. Before that build dist is empty
// but for .keep, so that the program compiles without Node; its portals then have an API and no pages.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Dist is the built front end: regulator.html, enterprise.html and assets/, whose names carry a digest of their content.
func Dist() fs.FS {
	root, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("portal/web: " + err.Error()) // the name is a constant and valid
	}
	return root
}

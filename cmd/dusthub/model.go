package main

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"dusthub/crypto/pki"
	"dusthub/crypto/publish"
	"dusthub/node/engine/risk"
)

// modelCmd works on risk model documents without a site: whoever writes one sees what a site would say, and whoever received
// one can tell who signed it.
type modelCmd struct {
	Check  modelCheckCmd  `cmd:"" help:"Print everything that is wrong with a document, by line."`
	Sign   modelSignCmd   `cmd:"" help:"Print the signature of a site under a document, with its certificate."`
	Verify modelVerifyCmd `cmd:"" help:"Check a signature that sign printed."`
	Print  modelPrintCmd  `cmd:"" help:"Print the shipped risk model, to begin a new one from."`
}

type modelCheckCmd struct {
	File string `arg:"" type:"existingfile" help:"Risk model document (YAML)."`
}

// Run prints what is wrong with a document; it fails when anything is.
func (c *modelCheckCmd) Run(out io.Writer) error {
	_, m, err := readModel(c.File)
	var problems risk.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintf(out, "%s:%d: %s\n", c.File, p.Line, p.Reason)
		}
		return fmt.Errorf("%s is no risk model: %d problems", c.File, len(problems))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s, %d numbers, each with its source\n", c.File, m.Version, len(m.Numbers()))
	return nil
}

func readModel(path string) ([]byte, *risk.Model, error) {
	document, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read risk model: %w", err)
	}
	m, err := risk.Parse(document)
	return document, m, err
}

const (
	blockSignature   = "DUSTHUB MODEL SIGNATURE"
	blockCertificate = "CERTIFICATE"
	headerSite       = "Site"
)

type modelSignCmd struct {
	File     string `arg:"" type:"existingfile" help:"Risk model document (YAML)."`
	Identity string `type:"existingdir" required:"" help:"Folder with the signing site's certificates and keys (five PEM files)."`
}

// Run prints signature and certificate as PEM.
func (c *modelSignCmd) Run(out io.Writer) error {
	document, m, err := readModel(c.File)
	if err != nil {
		return err
	}
	id, err := pki.LoadIdentity(c.Identity)
	if err != nil {
		return err
	}
	s, err := publish.Sign(id, m.Version, document)
	if err != nil {
		return err
	}
	for _, b := range []*pem.Block{
		{Type: blockSignature, Headers: map[string]string{headerSite: id.Name()}, Bytes: s.Signature}, {Type: blockCertificate, Bytes: s.Certificate},
	} {
		if err := pem.Encode(out, b); err != nil {
			return fmt.Errorf("print signature: %w", err)
		}
	}
	return nil
}

type modelVerifyCmd struct {
	File      string `arg:"" type:"existingfile" help:"Risk model document (YAML)."`
	Signature string `arg:"" type:"existingfile" help:"What sign printed."`
	Identity  string `type:"existingdir" required:"" help:"Folder with the certificates of whoever checks (five PEM files); its ca.crt is trusted."`
	Publisher string `help:"Site that must have signed; any site of the CA when not given."`
}

// Run checks a signature; it fails when it does not hold.
func (c *modelVerifyCmd) Run(out io.Writer) error {
	document, m, err := readModel(c.File)
	if err != nil {
		return err
	}
	id, err := pki.LoadIdentity(c.Identity)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(c.Signature)
	if err != nil {
		return fmt.Errorf("read signature: %w", err)
	}
	var s publish.Signed
	site := c.Publisher
	for b, rest := pem.Decode(text); b != nil; b, rest = pem.Decode(rest) {
		switch b.Type {
		case blockSignature:
			s.Signature = b.Bytes
			if site == "" {
				site = b.Headers[headerSite]
			}
		case blockCertificate:
			s.Certificate = b.Bytes
		}
	}
	if err := publish.Verify(id.Pool(), site, m.Version, document, s, time.Now()); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s, signed by the site %s\n", c.File, m.Version, site)
	return nil
}

type modelPrintCmd struct{}

// Run prints the shipped model's document.
func (modelPrintCmd) Run(out io.Writer) error {
	if _, err := out.Write(risk.Shipped().Document()); err != nil {
		return fmt.Errorf("print risk model: %w", err)
	}
	return nil
}

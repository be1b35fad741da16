package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"dusthub/crypto/pki"
	"dusthub/deploy/demo"
	"dusthub/federation"
	"dusthub/node/collect"
	"dusthub/sync/verify"

	"google.golang.org/grpc"
)

type demoCmd struct {
	Dir       string `type:"path" default:"./demo-data" help:"Folder that keeps everything; a second start goes on from it."`
	Reset     bool   `help:"Begin anew: throw the folder away first."`
	FreePorts bool   `help:"Take any free ports instead of the well-known ones."`
	Check     bool   `help:"Watch until every step of the loop was seen, print one JSON object, stop."`
	Nation    int    `placeholder:"PLANTS" help:"One site with a country of so many plants (43000) instead of three sites with twenty."`
	Announce  string `type:"path" placeholder:"FILE" help:"Write addresses and logins to this file as JSON once everything runs."`
}

// Run runs the demonstration until Ctrl-C.
func (c *demoCmd) Run(ctx context.Context, out io.Writer) error {
	opt := demo.Options{Dir: c.Dir, Reset: c.Reset, FreePorts: c.FreePorts, Check: c.Check, Nation: c.Nation, Announce: c.Announce, Out: out}
	if !c.Check {
		return demo.Run(ctx, opt)
	}
	dir, err := os.MkdirTemp("", "dusthub-check-")
	if err != nil {
		return fmt.Errorf("make a folder for the check: %w", err)
	}
	opt.Dir, opt.Progress = dir, os.Stderr
	if err := demo.Run(ctx, opt); err != nil {
		return fmt.Errorf("%w\nlogs are kept in %s", err, dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("leave nothing behind: %w", err)
	}
	return nil
}

type collectCmd struct {
	Config   string `short:"c" type:"existingfile" required:"" help:"Configuration of the gateway (YAML)."`
	Replay   string `type:"existingfile" placeholder:"FILE.csv" help:"Send the readings recorded in this file instead of polling, then end."`
	Mapping  string `type:"existingfile" placeholder:"FILE.yaml" help:"With --replay: how its columns map to metrics, and what becomes of its times."`
	LogLevel string `default:"info" enum:"debug,info,warn,error" help:"Least severe message to log."`
}

// Run runs the gateway until the process is told to stop, or the file is sent.
func (c *collectCmd) Run(ctx context.Context, out io.Writer) error {
	log, err := newLogger(os.Stderr, c.LogLevel, "text")
	if err != nil {
		return err
	}
	if c.Replay == "" {
		cfg, err := collect.LoadConfig(c.Config)
		if err != nil {
			return err
		}
		return collect.Run(ctx, cfg, log)
	}
	if c.Mapping == "" {
		return errors.New("--replay needs --mapping: which column is which metric")
	}
	cfg, err := collect.LoadReplay(c.Config, c.Mapping, c.Replay)
	if err != nil {
		return err
	}
	cfg.Logger = log
	report, err := collect.Replay(ctx, cfg)
	if err == nil && report.Refused > 0 {
		err = fmt.Errorf("the site refused %d of %d readings", report.Refused, report.Readings)
	}
	return errors.Join(err, printJSON(out, report))
}

type verifyCmd struct {
	Identity string `type:"existingdir" required:"" help:"Folder with the certificates to show to the sites (five PEM files)."`
	Origin   string `required:"" help:"Site whose ledger and samples are compared."`
	A        string `required:"" placeholder:"SITE=HOST:PORT" help:"The first site and the address of its gRPC listener."`
	B        string `required:"" placeholder:"SITE=HOST:PORT" help:"The second."`
}

// Run compares two sites; it fails when they differ.
func (c *verifyCmd) Run(ctx context.Context, out io.Writer) error {
	id, err := pki.LoadIdentity(c.Identity)
	if err != nil {
		return err
	}
	var sources [2]verify.Source
	for i, at := range []string{c.A, c.B} {
		site, addr, err := splitSite(at)
		if err != nil {
			return err
		}
		conn, err := grpc.NewClient(addr, federation.DialOptions(id, site)...)
		if err != nil {
			return fmt.Errorf("dial %s: %w", at, err)
		}
		defer conn.Close()
		sources[i] = verify.Remote(site, conn)
	}
	report, err := verify.Compare(ctx, id.Pool(), c.Origin, sources[0], sources[1])
	if err != nil {
		return err
	}
	if err := printJSON(out, report); err != nil {
		return err
	}
	if !report.Equal() {
		return fmt.Errorf("%s and %s differ in %d ways over %s", sources[0].Name(), sources[1].Name(), len(report.Differences), c.Origin)
	}
	return nil
}

func splitSite(at string) (site, addr string, err error) {
	for i := range at {
		if at[i] == '=' {
			return at[:i], at[i+1:], nil
		}
	}
	return "", "", fmt.Errorf("%q is not SITE=HOST:PORT", at)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

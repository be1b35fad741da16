// Command dusthub is the whole program: a site's replica, an edge gateway, the demonstration, and the tools around them.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"dusthub/schema"

	"github.com/alecthomas/kong"
	"github.com/willabides/kongplete"
)

// version is set by the build.
var version = "unknown"

type cli struct {
	Serve       serveCmd       `cmd:"" help:"Run one replica of a site: doors, engine, store, portals, links to parent and children."`
	Demo        demoCmd        `cmd:"" help:"Run the demonstration: a ministry, two provinces, twenty plants, on this machine."`
	Collect     collectCmd     `cmd:"" help:"Run an edge gateway: poll controllers over Modbus TCP, or replay recorded readings, and send them to a site."`
	Verify      verifyCmd      `cmd:"" help:"Compare what two sites hold of one site's ledger and samples, and name the differences."`
	Conformance conformanceCmd `cmd:"" help:"Audit a site, of this program or another: does it follow the federation protocol?"`
	Model       modelCmd       `cmd:"" help:"Check, sign and verify risk model documents."`
	Config      configCmd      `cmd:"" help:"Look at a site's configuration."`
	Version     versionCmd     `cmd:"" help:"Print the program's and the schema's version."`

	InstallCompletions kongplete.InstallCompletions `cmd:"" help:"Print what a shell needs to complete this program's commands."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	parser := kong.Must(&c, kong.Name("dusthub"), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Description("Watches the dust collectors of plants, judges what it reads, and passes it from plant to province to ministry.\n\n粉尘涉爆企业安全生产风险监测预警系统"),
		kong.BindTo(ctx, (*context.Context)(nil)))
	kongplete.Complete(parser)
	run, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	run.BindTo(takeStdout(), (*io.Writer)(nil))
	if err := run.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "dusthub:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// takeStdout gives what commands print to. os.Stdout itself leads nowhere from here on: the TLCP library prints failed
// handshakes there, which are logged anyway, and a caller reads our output as JSON.
func takeStdout() io.Writer {
	out := os.Stdout
	if nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = nowhere
	}
	return out
}

type versionCmd struct{}

// Run prints the versions.
func (versionCmd) Run(out io.Writer) error {
	_, err := fmt.Fprintf(out, "dusthub %s\nschema %s\n", version, schema.Version)
	return err
}

// newLogger logs in the form an operator chose.
func newLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	opt := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opt)), nil
	}
	return slog.New(slog.NewTextHandler(w, opt)), nil
}

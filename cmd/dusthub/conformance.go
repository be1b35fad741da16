package main

import (
	"context"
	"fmt"
	"io"

	"dusthub/conformance"
)

type conformanceCmd struct {
	Identity        string   `type:"existingdir" placeholder:"DIR" help:"Certificates of a site made for the audit (five PEM files); its id begins with \"audit\". Not needed with --ca."`
	Site            string   `required:"" placeholder:"ID" help:"Site to be audited."`
	Addr            string   `required:"" placeholder:"HOST:PORT" help:"Address of its gRPC listener."`
	OtherIdentity   string   `type:"existingdir" placeholder:"DIR" help:"Certificates of a second such site: some checks need one."`
	GatewayIdentity string   `type:"existingdir" placeholder:"DIR" help:"Certificates of a gateway: it is to be refused."`
	CA              string   `name:"ca" type:"existingdir" placeholder:"DIR" help:"The CA itself, where it is at hand; the identities that are missing are made by it."`
	Only            []string `placeholder:"CHECK" help:"Run these checks alone, such as events.gap."`
	JSON            bool     `name:"json" help:"Print the report as JSON."`
}

// Run audits a site; it fails when a check fails.
func (c *conformanceCmd) Run(ctx context.Context, out io.Writer) error {
	report, err := conformance.Run(ctx, conformance.Target{
		Site: c.Site, Addr: c.Addr, Identity: c.Identity, Other: c.OtherIdentity, Gateway: c.GatewayIdentity, CA: c.CA,
	}, conformance.Options{Only: c.Only})
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(out, report)
	} else {
		err = report.WriteTable(out)
	}
	if err != nil {
		return err
	}
	if report.Failed > 0 {
		return fmt.Errorf("%s does not conform: %d of %d checks failed", c.Site, report.Failed, len(report.Results))
	}
	return nil
}

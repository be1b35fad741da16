package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dusthub/schema/rpc"

	"google.golang.org/grpc/codes"
)

// Sections 3.2, 4.2 and 5.1, downward: what a child is shown. They come last: everything that came down before is judged too.
func downlinkChecks() []Check {
	return []Check{
		{
			ID: "downlink.other-child", Section: "3.2", Sent: "a record that does not conform, as a second child",
			Expected: "the Quarantine is in clear for that child, and a digest for the first", run: otherChild,
		},
		{
			ID: "downlink.ledger", Section: "3.1, 3.2, 3.3, 4.1", Sent: "acknowledgements of everything the site sends down",
			Expected: "its whole ledger: in clear only what is DOWN and addressed to this child or '*'; chain, checkpoints and sizes as specified", run: wholeLedger,
		},
		{
			ID: "downlink.parted", Section: "4.2", Sent: "Hello with a position of the site's ledger whose digest is another",
			Expected: "no batch of that ledger; the stream may end with DATA_LOSS", run: parted,
		},
	}
}

// wholeLedger follows every ledger the site offers up to where it stood when the check began, and to a signature.
func wholeLedger(ctx context.Context, a *audit) (string, error) {
	c := a.child
	s, err := c.settled(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	last := map[string]uint64{}
	for _, o := range s.welcome.GetOrigins() {
		newest, err := c.newest(ctx, o)
		if err != nil {
			return "", err
		}
		last[o] = newest.GetCheckpoint().GetSeq()
	}
	err = s.follow(ctx, downWithin, func() bool {
		for o, n := range last {
			if l := c.copies[o]; l.seq < n || l.signed < n {
				return len(l.faults) > 0
			}
		}
		return true
	})
	var got, faults []string
	for o := range last {
		l := c.copies[o]
		got = append(got, fmt.Sprintf("%s: %d items, %d in clear, signed up to %d", o, l.seq, len(l.clear), l.signed))
		faults = append(faults, l.faults...)
	}
	if len(faults) > 0 {
		return "", errors.New(strings.Join(faults, "; "))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(got, "; "), err)
	}
	return strings.Join(got, "; "), nil
}

// downWithin is how long a site may take to send its whole ledger down.
const downWithin = time.Minute

// otherChild has the site write something for a second child, and looks what the first is shown of it.
func otherChild(ctx context.Context, a *audit) (string, error) {
	if a.other == nil {
		return "", skip("needs the identity of a second site")
	}
	s, err := a.other.settled(ctx)
	if err != nil {
		return "", fmt.Errorf("as the second child: %w", err)
	}
	defer s.close()
	known := len(a.other.quarantined())
	if err := a.other.spoil(ctx, s, false); err != nil {
		return "", fmt.Errorf("as the second child: %w", err)
	}
	if err := s.follow(ctx, a.patience, func() bool { return len(a.other.quarantined()) > known }); err != nil {
		return "", fmt.Errorf("no Quarantine for the second child: %w", err)
	}
	var at uint64
	for seq := range a.other.quarantined() {
		at = max(at, seq)
	}
	mine, err := a.child.connect(ctx)
	if err != nil {
		return "", err
	}
	defer mine.close()
	l := a.child.copies[a.target.Site]
	if err := mine.follow(ctx, downWithin, func() bool { return l.seq >= at || len(l.faults) > 0 }); err != nil {
		return "", err
	}
	if e := l.clear[at]; e != nil {
		return "", fmt.Errorf("entry %d is for %q, and the first child was shown it: %s %s", at, e.GetTo(), e.GetType(), e.GetKey())
	}
	if l.seq < at {
		return "", fmt.Errorf("the downlink did not come to entry %d: %s", at, strings.Join(l.faults, "; "))
	}
	return fmt.Sprintf("entry %d is in clear for %s and a digest for %s", at, a.other.name(), a.child.name()), nil
}

// parted tells a position that the site cannot know.
func parted(ctx context.Context, a *audit) (string, error) {
	const quiet = 2 * time.Second
	c := a.child
	l := c.copies[a.target.Site]
	if l == nil || l.seq == 0 {
		return "", skip("nothing came down before")
	}
	h := c.hello()
	for _, p := range h.GetPositions() {
		if p.GetOrigin() == a.target.Site {
			p.Digest = make([]byte, digestSize)
		}
	}
	s, err := c.start(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	s.raw = true
	s.send(&rpc.FromChild{What: &rpc.FromChild_Hello{Hello: h}})
	for {
		m, err := s.next(ctx, quiet)
		switch {
		case errors.Is(err, errSilent):
			return "the stream stays open, nothing of that ledger comes", nil
		case err != nil:
			return refusal(err, codes.DataLoss)
		case m.GetBatch().GetOrigin() == a.target.Site:
			return "", fmt.Errorf("came %s, from %d on", describe(m), m.GetBatch().GetFirst())
		}
	}
}

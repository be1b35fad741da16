package federation

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"dusthub/crypto/keys"
	"dusthub/crypto/tlcp"
	"dusthub/node/personal"
	"dusthub/schema"
)

// ring gives a site what seals and opens personal data, and shares its keys with the parent.
func (s *site) ring() *personal.Ring {
	s.t.Helper()
	provider, err := keys.OpenSoftware(filepath.Join(s.t.TempDir(), "keys"))
	must(s.t, err)
	r := personal.New(s, provider, s.id, slog.New(slog.DiscardHandler))
	s.joined = func(ctx context.Context, parent tlcp.Peer) error { return r.Share(ctx, parent.Name, parent.Encryption) }
	return r
}

// A city's names are read by the city, its province and the ministry, in clear, and travel sealed; a site beside it, though it held
// every byte, reads masks.
func TestKeysOfPersonalDataGoUp(t *testing.T) {
	ca := newCA(t)
	ministry := newSite(t, ca, "ministry", "ministry", "")
	ministry.tickAt(0)
	top := ministry.ring()
	ministry.serve()
	jiangsu := newSite(t, ca, "jiangsu", "province", "ministry")
	jiangsu.tickAt(0)
	middle := jiangsu.ring()
	jiangsu.upAddr = ministry.addr
	jiangsu.serve()
	jiangsu.dial(ministry)
	suzhou := newSite(t, ca, "suzhou", "city", "jiangsu")
	bottom := suzhou.ring()
	suzhou.tickAt(0)
	suzhou.dial(jiangsu)

	e := enterprise(plantCode)
	var err error
	e.SafetyHead, err = bottom.Seal(t.Context(), "suzhou", plantCode, "诸葛不亮") // after the link was there
	must(t, err)
	suzhou.put("", e)
	suzhou.sign()
	follows(t, ministry, suzhou)
	for name, r := range map[string]*personal.Ring{"suzhou": bottom, "jiangsu": middle, "ministry": top} {
		eventually(t, name+" reads the name", func() bool {
			text, err := r.Open(plantCode, e.GetSafetyHead())
			return err == nil && text == "诸葛不亮"
		})
		if _, err := r.Open("320505030002", e.GetSafetyHead()); !errors.Is(err, personal.ErrMoved) {
			t.Errorf("%s opens it for another plant: %v", name, err)
		}
	}
	for _, w := range []*site{ministry, jiangsu} {
		if w.wire.carried(t, "诸葛不亮", true) {
			t.Errorf("the name went to %s in clear", w.id.Name())
		}
	}
	for _, s := range []*site{ministry, jiangsu, suzhou} {
		for _, c := range s.log {
			if bytes.Contains(c, []byte("诸葛不亮")) {
				t.Errorf("the name is in the log of %s in clear", s.id.Name())
			}
		}
	}

	// What goes down to the city's plant is sealed with the city's key.
	down, err := top.Seal(t.Context(), "suzhou", plantCode, "司马不懿")
	must(t, err)
	if text, err := bottom.Open(plantCode, down); text != "司马不懿" {
		t.Errorf("the city reads %q, %v", text, err)
	}
	// A site that is beside it has neither the key nor a say in what it is.
	beside := newSite(t, ca, "shandong", "province", "ministry")
	other := beside.ring()
	beside.tickAt(0)
	if _, err := other.Open(plantCode, e.GetSafetyHead()); !errors.Is(err, personal.ErrNoKey) {
		t.Errorf("a site beside it: %v", err)
	}
	if got := schema.Mask(e.GetSafetyHead()); got != "***" {
		t.Errorf("without a key %q is left", got)
	}
}

// Who does not send a site's ledger has no say in what its key is.
func TestNobodyElseSaysWhatAKeyIs(t *testing.T) {
	ministry, jiangsu, ca := pair(t)
	top := ministry.ring()
	ring := jiangsu.ring()
	jiangsu.dial(ministry)
	sealed, err := ring.Seal(t.Context(), "jiangsu", plantCode, "诸葛不亮")
	must(t, err)
	shandong := newSite(t, ca, "shandong", "province", "ministry")
	shandong.tickAt(0)
	forged, err := (func() ([]byte, error) { // a key of shandong's making, said to be zhejiang's
		peer, err := tlcp.Dial(t.Context(), ministry.addr, shandong.id, "ministry")
		if err != nil {
			return nil, err
		}
		defer peer.Close()
		return peer.Peer().Encryption.Encrypt([]byte("zhejiang/0001\x00" + "0123456789abcdef"))
	})()
	must(t, err)
	shandong.put("", &schema.DataKey{Id: "shandong/zhejiang/0001/ministry", Site: "zhejiang", Number: "0001", Reader: "ministry", Sealed: forged})
	shandong.sign()
	shandong.dial(ministry)
	follows(t, ministry, shandong)
	if row, ok, _ := ministry.store.Get("DataKey", "shandong/zhejiang/0001/ministry"); !ok || row.Origin != "shandong" {
		t.Fatal("the forged key is not there: the test shows nothing")
	}
	text, err := top.Seal(t.Context(), "zhejiang", plantCode, "司马不懿")
	must(t, err)
	if s, _ := schema.ParseSealed(text); s.Site != "ministry" {
		t.Errorf("sealed with a key of %s", s.Site)
	}
	eventually(t, "the ministry reads what is jiangsu's", func() bool { open, err := top.Open(plantCode, sealed); return err == nil && open == "诸葛不亮" })
}

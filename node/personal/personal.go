// Package personal keeps names and telephone numbers from lying in clear: in the rows, the ledger, the raft log and on the
// way to the sites above. Doors seal a text before its command enters raft, since the machine is deterministic and a nonce is
// not; who shows one, or its mask, opens it.
//
// A site has keys of its own (DataKey), random, sealed by its key provider: one after the other, a year each; texts are sealed
// with the newest, the older ones open what was sealed before. It seals the same keys for its parent, by SM2 under
// the encryption certificate the parent showed in TLCP, and whatever keys were sealed for it by sites below likewise: who
// gets the records gets the keys, up to the root, and nobody else. What goes down to a plant's site is sealed with that
// site's key.
package personal

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dusthub/crypto/keys"
	"dusthub/crypto/sm"
	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"
)

// Errors a caller decides on.
var (
	// ErrNoKey says that the key of a sealed text is not here: only its mask can be read.
	ErrNoKey = errors.New("personal: the key is not at this site")
	// ErrMoved says that a sealed text is not of the plant it stands with, or was changed.
	ErrMoved = errors.New("personal: sealed text is not of this plant")
)

const (
	dataType  = "DataKey"
	lane      = "events"
	heldAtOne = 64 // events of the hub that may wait while keys are shared

	keyAge = 365 * 24 * time.Hour // a site's key seals for this long, then its next one does
)

// Site is what sealing needs of the site.
type Site interface {
	Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error)
	Store() *store.Store
	Hub() *live.Hub
}

// Opener opens what was sealed for this site by its encryption certificate; pki.Identity is one.
type Opener interface {
	Decrypt(ciphertext []byte) ([]byte, error)
}

// Ring holds the keys this site can open.
type Ring struct {
	Now func() time.Time // the clock by which keys age; New sets the system's

	site   Site
	self   string
	keys   keys.Provider
	opener Opener // nil: only the site's own key is opened
	log    *slog.Logger
	making sync.Mutex
	mu     sync.Mutex
	open   map[string][]byte // site/number
}

// New makes a ring. opener may be nil at a site that has nobody below.
func New(site Site, provider keys.Provider, opener Opener, log *slog.Logger) *Ring {
	return &Ring{Now: time.Now, site: site, self: site.Store().Site(), keys: provider, opener: opener, log: log, open: map[string][]byte{}}
}

func purpose(id string) string { return "data-key/" + id }

func idOf(writer, site, number, reader string) string {
	return strings.Join([]string{writer, site, number, reader}, "/")
}

// about is what a text is sealed with beside its key: it opens for the same plant only.
func about(site, number, plant string) []byte {
	return []byte("dusthub personal 1|" + site + "|" + number + "|" + plant)
}

// Seal seals a text of a plant that belongs to a site; with this site's own key when that site's is not here. What is
// sealed already stays as it is.
func (r *Ring) Seal(ctx context.Context, home, plant, text string) (string, error) {
	if _, sealed := schema.ParseSealed(text); sealed || text == "" {
		return text, nil
	}
	number, key, err := r.sealing(ctx, home)
	if home != r.self && errors.Is(err, ErrNoKey) {
		return r.Seal(ctx, r.self, plant, text)
	}
	if err != nil {
		return "", err
	}
	nonce := make([]byte, sm.NonceSize)
	if _, err := rand.Read(nonce); err != nil {
		return "", fmt.Errorf("make nonce: %w", err)
	}
	ct, err := sm.EncryptGCM(key, nonce, []byte(text), about(home, number, plant))
	if err != nil {
		return "", fmt.Errorf("seal personal data: %w", err)
	}
	return schema.Sealed{Site: home, Number: number, Cipher: base64.RawURLEncoding.EncodeToString(slices.Concat(nonce, ct))}.String(), nil
}

// Open opens a sealed text of a plant; a text that is not sealed is itself. Errors: ErrNoKey, ErrMoved.
func (r *Ring) Open(plant, text string) (string, error) {
	s, sealed := schema.ParseSealed(text)
	if !sealed {
		return text, nil
	}
	key, err := r.key(s.Site, s.Number)
	if err != nil {
		return "", err
	}
	raw, err := base64.RawURLEncoding.DecodeString(s.Cipher)
	if err != nil || len(raw) < sm.NonceSize {
		return "", ErrMoved
	}
	plain, err := sm.DecryptGCM(key, raw[:sm.NonceSize], raw[sm.NonceSize:], about(s.Site, s.Number, plant))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrMoved, err)
	}
	return string(plain), nil
}

// sealing is the key of a site that texts are sealed with now: the newest that opens here. This site's own is made when there
// is none, and followed by another when it has aged. Errors: ErrNoKey.
func (r *Ring) sealing(ctx context.Context, home string) (number string, key []byte, err error) {
	rows, err := r.keysOf(home)
	if err != nil {
		return "", nil, err
	}
	if home == r.self && (len(rows) == 0 || r.Now().Sub(time.UnixMilli(rows[0].Time)) >= keyAge) {
		number, key, err := r.make(ctx, following(rows))
		if err == nil || len(rows) == 0 {
			return number, key, err
		}
		r.log.Warn("data key has aged and has no follower yet", "err", err)
	}
	for _, row := range rows {
		number = row.Record.(*schema.DataKey).GetNumber()
		if key, err = r.key(home, number); !errors.Is(err, ErrNoKey) {
			return number, key, err
		}
	}
	return "", nil, fmt.Errorf("%w: of %s", ErrNoKey, home)
}

// following is the number of the key that comes after those given, newest first.
func following(rows []store.Row) string {
	last := 0
	if len(rows) > 0 {
		last, _ = strconv.Atoi(rows[0].Record.(*schema.DataKey).GetNumber()) // this site's own, which following wrote
	}
	return fmt.Sprintf("%04d", last+1)
}

// key is a site's key, opened once and then remembered.
func (r *Ring) key(site, number string) ([]byte, error) {
	name := site + "/" + number
	r.mu.Lock()
	key, ok := r.open[name]
	r.mu.Unlock()
	if ok {
		return key, nil
	}
	key, err := r.find(site, number)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.open[name] = key
	r.mu.Unlock()
	return key, nil
}

// find opens the record that seals a site's key for this site.
func (r *Ring) find(site, number string) ([]byte, error) {
	rows, err := r.keysOf(site)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		k := row.Record.(*schema.DataKey)
		if k.GetNumber() != number {
			continue
		}
		key, err := r.unwrap(k)
		if err == nil {
			return key, nil
		}
		r.log.Warn("data key does not open", "key", row.Key, "err", err)
	}
	return nil, fmt.Errorf("%w: %s/%s", ErrNoKey, site, number)
}

// mine are the keys that were sealed for this site.
func (r *Ring) mine() ([]store.Row, error) {
	page, err := r.site.Store().List(context.Background(), store.Query{Type: dataType, Index: "reader", Prefix: []string{r.self}})
	if err != nil {
		return nil, fmt.Errorf("list data keys: %w", err)
	}
	return page.Rows, nil
}

// keysOf are the keys of a site that were sealed for this one by who may, newest first.
func (r *Ring) keysOf(site string) ([]store.Row, error) {
	rows, err := r.mine()
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(row store.Row) bool {
		return row.Record.(*schema.DataKey).GetSite() != site || !r.speaksFor(row.Origin, site)
	})
	slices.SortFunc(rows, func(a, b store.Row) int {
		return strings.Compare(b.Record.(*schema.DataKey).GetNumber(), a.Record.(*schema.DataKey).GetNumber())
	})
	return rows, nil
}

// speaksFor says whether a neighbour may say what a site's key is: the site itself, or who sends its ledger.
func (r *Ring) speaksFor(origin, site string) bool {
	if origin == site {
		return true
	}
	_, ok, err := r.site.Store().Position(origin, site, lane)
	return err == nil && ok
}

func (r *Ring) unwrap(k *schema.DataKey) ([]byte, error) {
	if k.GetSite() == r.self {
		return r.keys.Open(purpose(k.GetId()), string(k.GetSealed()))
	}
	if r.opener == nil {
		return nil, ErrNoKey
	}
	plain, err := r.opener.Decrypt(k.GetSealed())
	if err != nil {
		return nil, err
	}
	name := k.GetSite() + "/" + k.GetNumber() + "\x00"
	if key, ok := strings.CutPrefix(string(plain), name); ok && len(key) == sm.KeySize {
		return []byte(key), nil
	}
	return nil, errors.New("personal: sealed key is of another site")
}

// make makes this site's key of a number. Replicas that want one at once get the one that came first.
func (r *Ring) make(ctx context.Context, number string) (string, []byte, error) {
	r.making.Lock()
	defer r.making.Unlock()
	if key, err := r.key(r.self, number); !errors.Is(err, ErrNoKey) {
		return number, key, err
	}
	key := make([]byte, sm.KeySize)
	if _, err := rand.Read(key); err != nil {
		return "", nil, fmt.Errorf("make data key: %w", err)
	}
	id := idOf(r.self, r.self, number, r.self)
	sealed, err := r.keys.Seal(purpose(id), key)
	if err != nil {
		return "", nil, fmt.Errorf("seal data key: %w", err)
	}
	err = r.put(ctx, &schema.DataKey{Id: id, Site: r.self, Number: number, Reader: r.self, Sealed: []byte(sealed)})
	if found, bad := r.key(r.self, number); bad == nil {
		return number, found, nil
	} else if err == nil {
		err = bad
	}
	return "", nil, err
}

// put writes a key that is not there yet, and waits until it is here.
func (r *Ring) put(ctx context.Context, k *schema.DataKey) error {
	raw, err := schema.Marshal(k)
	if err != nil {
		return err
	}
	change := &schema.Change{Type: dataType, Record: raw, Create: true}
	res, err := r.site.Propose(ctx, &schema.Command{Actor: "site", Body: &schema.Command_Put{Put: &schema.Put{Changes: []*schema.Change{change}}}})
	if err != nil {
		return fmt.Errorf("keep data key: %w", err)
	}
	if res.GetIndex() > 0 {
		if _, err := r.site.Hub().Wait(ctx, res.GetIndex()-1); err != nil {
			return fmt.Errorf("keep data key: %w", err)
		}
	}
	if schema.Refuses(res.GetViolations()) {
		return fmt.Errorf("keep data key: refused: %s", res.GetViolations()[0].GetRule())
	}
	return nil
}

// Share seals every key this site can open for the parent, now and whenever one more comes, until the context ends.
func (r *Ring) Share(ctx context.Context, parent string, to *sm.PublicKey) error {
	if to == nil {
		return nil
	}
	events, stop := r.site.Hub().Subscribe(heldAtOne)
	defer stop()
	for {
		if err := r.shareAll(ctx, parent, to); err != nil && ctx.Err() == nil {
			r.log.Warn("data keys not shared", "parent", parent, "err", err)
		}
		if !await(ctx, events) {
			return nil
		}
	}
}

// await returns when a data key may have come; false when the context has ended.
func await(ctx context.Context, events <-chan live.Event) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case e, open := <-events:
			if !open {
				return false
			}
			for _, row := range e.Rows {
				if row.Type == dataType {
					return true
				}
			}
			if e.Lost {
				return true
			}
		}
	}
}

func (r *Ring) shareAll(ctx context.Context, parent string, to *sm.PublicKey) error {
	rows, err := r.mine()
	if err != nil {
		return err
	}
	for _, row := range rows {
		k := row.Record.(*schema.DataKey)
		id := idOf(r.self, k.GetSite(), k.GetNumber(), parent)
		if _, known, err := r.site.Store().Get(dataType, id); err != nil || known {
			continue
		}
		key, err := r.key(k.GetSite(), k.GetNumber())
		if err != nil {
			r.log.Warn("data key not passed on", "key", row.Key, "err", err)
			continue
		}
		sealed, err := to.Encrypt([]byte(k.GetSite() + "/" + k.GetNumber() + "\x00" + string(key)))
		if err != nil {
			return fmt.Errorf("seal data key for %s: %w", parent, err)
		}
		if err := r.put(ctx, &schema.DataKey{Id: id, Site: k.GetSite(), Number: k.GetNumber(), Reader: parent, Sealed: sealed}); err != nil {
			return err
		}
	}
	return nil
}

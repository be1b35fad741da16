package notify

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"dusthub/crypto/sm"
	"dusthub/schema"

	webpush "github.com/SherClockHolmes/webpush-go"
)

// vapid is the key pair the site names itself with to push services (RFC 8292), in base64url.
type vapid struct{ private, public string }

const vapidFile = "vapid.key"

// openVAPID reads the key of a folder, making it when there is none. Replicas that share the folder agree on the first.
func openVAPID(dir string) (vapid, error) {
	path := filepath.Join(dir, vapidFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeVAPID(dir, path); err == nil {
			raw, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return vapid{}, fmt.Errorf("key for web push: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return vapid{}, fmt.Errorf("key for web push: %s is not PEM", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	k, ok := key.(*ecdsa.PrivateKey)
	if err != nil || !ok || k.Curve != elliptic.P256() {
		return vapid{}, fmt.Errorf("key for web push: %s is not a P-256 key", path)
	}
	pair, err := k.ECDH()
	if err != nil {
		return vapid{}, fmt.Errorf("key for web push: %w", err)
	}
	enc := base64.RawURLEncoding
	return vapid{enc.EncodeToString(pair.Bytes()), enc.EncodeToString(pair.PublicKey().Bytes())}, nil
}

// makeVAPID writes a new key under its name in one step, unless another replica was faster.
func makeVAPID(dir, path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, vapidFile+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // its other name stays
	err = errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// push sends to browsers, encrypted for each (RFC 8291).
type push struct {
	key     vapid
	contact string
	client  *http.Client
	reach   reach
}

func (p *push) check(address []byte) error {
	s, err := subscription(address)
	if err != nil {
		return err
	}
	return checkURL(s.Endpoint, p.reach)
}

// subscription reads what a browser's PushSubscription gives as JSON.
func subscription(address []byte) (*webpush.Subscription, error) {
	s := &webpush.Subscription{}
	if err := json.Unmarshal(address, s); err != nil {
		return nil, errors.New("not a browser's subscription")
	}
	point, err := base64.RawURLEncoding.DecodeString(s.Keys.P256dh)
	if err == nil {
		_, err = ecdh.P256().NewPublicKey(point)
	}
	const authSize = 16
	auth, authErr := base64.RawURLEncoding.DecodeString(s.Keys.Auth)
	if err != nil || authErr != nil || len(auth) != authSize {
		return nil, errors.New("not the keys of a browser's subscription")
	}
	return s, nil
}

const (
	pushTTL      = 24 * 3600 // s a push service keeps it for a browser that is away
	topicLetters = 32        // RFC 8030 allows so many
)

func (p *push) send(ctx context.Context, address []byte, m message) error {
	s, err := subscription(address)
	if err == nil {
		err = checkURL(s.Endpoint, p.reach)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	urgency := webpush.UrgencyNormal
	if m.Priority == schema.Critical || m.Priority == schema.High {
		urgency = webpush.UrgencyHigh
	}
	topic := sm.SM3([]byte(m.ID))
	res, err := webpush.SendNotificationWithContext(ctx, body, s, &webpush.Options{
		HTTPClient: p.client, Subscriber: p.subscriber(), Topic: base64.RawURLEncoding.EncodeToString(topic[:])[:topicLetters], TTL: pushTTL, Urgency: urgency,
		VAPIDPublicKey: p.key.public, VAPIDPrivateKey: p.key.private,
	})
	if err != nil {
		return fmt.Errorf("push service: %w", bare(err))
	}
	defer res.Body.Close()
	drain(res.Body)
	if res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone {
		return fmt.Errorf("%w: %w", ErrPermanent, errGone)
	}
	return judged(res.StatusCode)
}

// subscriber is who answers for the site; the library adds mailto: itself.
func (p *push) subscriber() string {
	const mailto = "mailto:"
	if len(p.contact) > len(mailto) && p.contact[:len(mailto)] == mailto {
		return p.contact[len(mailto):]
	}
	return p.contact
}

package notify

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"dusthub/crypto/sm"
)

// Headers of a webhook. The signature is HMAC-SM3 over timestamp, ".", body.
const (
	headerTime      = "X-Dusthub-Timestamp" // ms
	headerSignature = "X-Dusthub-Signature" // hmac-sm3=hex
	headerKey       = "Idempotency-Key"
)

// webhook posts messages, signed.
type webhook struct {
	secret []byte
	client *http.Client
	reach  reach
	now    func() time.Time
}

func (w *webhook) check(address []byte) error { return checkURL(string(address), w.reach) }

func (w *webhook) send(ctx context.Context, address []byte, m message) error {
	if err := w.check(address); err != nil {
		return fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(address), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: not a URL", ErrPermanent)
	}
	at := strconv.FormatInt(w.now().UnixMilli(), 10)
	mac := sm.HMACSM3(w.secret, append([]byte(at+"."), body...))
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set(headerTime, at)
	req.Header.Set(headerSignature, "hmac-sm3="+hex.EncodeToString(mac[:]))
	req.Header.Set(headerKey, m.ID)
	res, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("post: %w", bare(err))
	}
	defer res.Body.Close()
	drain(res.Body)
	return judged(res.StatusCode)
}

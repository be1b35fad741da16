package sim

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dusthub/crypto/sm"
	"dusthub/deploy/demo/plants"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
)

// Credential is what the site gave a plant's client.
type Credential struct {
	Gateway, Secret  string
	AppID, AppSecret string
	Key, IV          []byte
}

// Client sends the readings of one plant through one of the doors, once a second. What a door did not take is kept, up
// to backlogLimit rounds, and sent again.
type Client struct {
	world *World
	plant int
	cred  Credential
	send  func(ctx context.Context, at time.Time, readings []Reading) error
	log   *slog.Logger
	sent  atomic.Uint64
	lost  atomic.Uint64
	close func(context.Context)
}

const (
	backlogLimit = 600
	sendTimeout  = 5 * time.Second
	keepAliveS   = 20
)

type round struct {
	at       time.Time
	readings []Reading
}

// Sent is how many readings the door confirmed, and Lost how many were given up.
func (c *Client) Sent() (sent, lost uint64) { return c.sent.Load(), c.lost.Load() }

// Run samples once a second and sends until ctx ends; the last round is sent before it returns.
func (c *Client) Run(ctx context.Context) error {
	if c.close != nil {
		defer func() {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			c.close(stop)
		}()
	}
	tick := time.NewTicker(stepEvery)
	defer tick.Stop()
	var backlog []round
	for {
		select {
		case <-ctx.Done():
			drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			backlog = c.flush(drain, backlog)
			cancel()
			c.drop(backlog)
			return nil
		case now := <-tick.C:
			if c.world.Struck(c.plant, plants.Offline) || c.world.Struck(c.plant, plants.SourceLost) {
				continue
			}
			backlog = c.flush(ctx, append(backlog, round{now.Truncate(time.Millisecond), c.world.Readings(c.plant)}))
			if len(backlog) > backlogLimit {
				c.drop(backlog[:1])
				backlog = backlog[1:]
			}
		}
	}
}

func (c *Client) drop(rounds []round) {
	for _, r := range rounds {
		c.lost.Add(uint64(len(r.readings)))
	}
}

// flush sends the backlog, oldest first, and returns what is left of it.
func (c *Client) flush(ctx context.Context, backlog []round) []round {
	for len(backlog) > 0 {
		r := backlog[0]
		one, cancel := context.WithTimeout(ctx, sendTimeout)
		err := c.send(one, r.at, r.readings)
		cancel()
		if err != nil {
			c.log.Warn("readings not taken, will be sent again", "gateway", c.cred.Gateway, "waiting", len(backlog), "err", err)
			return backlog
		}
		c.sent.Add(uint64(len(r.readings)))
		backlog = backlog[1:]
	}
	return backlog
}

// NewLine sends InfluxDB line protocol to base, the address of the access doors ("http://127.0.0.1:8203").
func NewLine(w *World, plant int, base string, cred Credential, log *slog.Logger) *Client {
	c := &Client{world: w, plant: plant, cred: cred, log: log}
	c.send = func(ctx context.Context, at time.Time, readings []Reading) error {
		return SendLine(ctx, base, cred, at, readings)
	}
	return c
}

// SendLine sends readings of one time in InfluxDB line protocol to base, once.
func SendLine(ctx context.Context, base string, cred Credential, at time.Time, readings []Reading) error {
	var b strings.Builder
	for _, r := range readings {
		fmt.Fprintf(&b, "dust,metric=%s value=%s %d\n", r.Metric, strconv.FormatFloat(r.Value, 'f', -1, 64), at.UnixMilli())
	}
	return post(ctx, base+"/api/v2/write?precision=ms", "text/plain; charset=utf-8", []byte(b.String()), map[string]string{"Authorization": "Token " + cred.Gateway + ":" + cred.Secret})
}

// NewSM4 sends the ministry's encrypted JSON form (domain 2.2, 2.3).
func NewSM4(w *World, plant int, base string, cred Credential, log *slog.Logger) *Client {
	c := &Client{world: w, plant: plant, cred: cred, log: log}
	zone := time.FixedZone("Asia/Shanghai", 8*3600)
	c.send = func(ctx context.Context, at time.Time, readings []Reading) error {
		type data struct {
			QuotaID string  `json:"quotaId"`
			Value   float64 `json:"value"`
			IsValid bool    `json:"isValid"`
		}
		p := w.Plants[plant]
		list := make([]data, len(readings))
		for i, r := range readings {
			list[i] = data{r.Metric, r.Value, true}
		}
		report, err := json.Marshal(map[string]any{
			"dataId": cred.Gateway + "-" + strconv.FormatInt(at.UnixMilli(), 10), "enterpriseId": p.Code, "gatewayId": cred.Gateway,
			"collectTime": at.In(zone).Format("20060102150405"), "isConnectDataSource": true, "reportType": "report", "datas": list,
		})
		if err != nil {
			return fmt.Errorf("encode report: %w", err)
		}
		sealed, err := sm.EncryptCBC(cred.Key, cred.IV, report)
		if err != nil {
			return fmt.Errorf("encrypt report: %w", err)
		}
		body, err := json.Marshal(map[string]string{"appid": cred.AppID, "data": strings.ToUpper(hex.EncodeToString(sealed))})
		if err != nil {
			return fmt.Errorf("encode message: %w", err)
		}
		return post(ctx, base+"/access/v1/realtime", "application/json", body, map[string]string{"appsecret": cred.AppSecret})
	}
	return c
}

// NewMQTT publishes JSON to the site's broker at "127.0.0.1:1883" with quality of service 1.
func NewMQTT(w *World, plant int, broker string, cred Credential, log *slog.Logger) (*Client, error) {
	c := &Client{world: w, plant: plant, cred: cred, log: log}
	u, err := url.Parse("mqtt://" + broker)
	if err != nil {
		return nil, fmt.Errorf("broker address %q: %w", broker, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	connection, err := autopaho.NewConnection(ctx, autopaho.ClientConfig{
		ServerUrls: []*url.URL{u}, KeepAlive: keepAliveS, ConnectUsername: cred.Gateway, ConnectPassword: []byte(cred.Secret),
		ReconnectBackoff: autopaho.NewConstantBackoff(time.Second),
		ClientConfig:     paho.ClientConfig{ClientID: cred.Gateway},
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("connect to broker %s: %w", broker, err)
	}
	c.close = func(stop context.Context) {
		if err := connection.Disconnect(stop); err != nil {
			log.Debug("disconnect", "err", err)
		}
		cancel()
	}
	c.send = func(ctx context.Context, at time.Time, readings []Reading) error {
		type sample struct {
			Metric string  `json:"metric"`
			Time   int64   `json:"time"`
			Value  float64 `json:"value"`
		}
		list := make([]sample, len(readings))
		for i, r := range readings {
			list[i] = sample{r.Metric, at.UnixMilli(), r.Value}
		}
		body, err := json.Marshal(map[string]any{"samples": list})
		if err != nil {
			return fmt.Errorf("encode readings: %w", err)
		}
		if err := connection.AwaitConnection(ctx); err != nil {
			return fmt.Errorf("await broker %s: %w", broker, err)
		}
		if _, err := connection.Publish(ctx, &paho.Publish{QoS: 1, Topic: "dusthub/" + cred.Gateway + "/up", Payload: body}); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		return nil
	}
	return c, nil
}

func post(ctx context.Context, to, contentType string, body []byte, headers map[string]string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Content-Type", contentType)
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("answer %d: %s", res.StatusCode, strings.TrimSpace(string(answer)))
	}
	return nil
}

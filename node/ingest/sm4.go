package ingest

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"dusthub/crypto/sm"
	"dusthub/schema/frame"
)

// Codes of the SM4 door's answers (domain 2.4).
const (
	codeOK        = 0
	codeAppID     = 1001
	codeDecrypt   = 1002
	codeSchema    = 1003
	codeUnknown   = 1004
	codeTime      = 1005
	codeDuplicate = 1006
	codeRate      = 1007
	codeServer    = 1500
)

type reportKind uint8

const (
	reportLive reportKind = iota
	reportBackfill
	reportHeartbeat
)

// reportReadings bounds the readings of one back-fill report (domain 2.4).
const reportReadings = 1000

// sm4Answer is what the SM4 door answers.
type sm4Answer struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	DataID  string `json:"dataId,omitempty"`
}

// sm4Fault is a fault in this door's words.
type sm4Fault struct {
	code   int
	status int
	reason string
}

func (f *sm4Fault) Error() string { return fmt.Sprintf("%d: %s", f.code, f.reason) }

// sm4Door serves one kind of report. The envelope is {"appid", "data"}, data the report under SM4-CBC in hexadecimal digits.
type sm4Door struct {
	in   *Intake
	kind reportKind
}

func (d *sm4Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b := &Batch{Door: doorSM4, Where: "readings[%d]", Backfill: d.kind == reportBackfill}
	dataID, out, err := d.take(w, r, b)
	if err != nil {
		f := sm4FaultOf(err)
		if f.code == codeServer {
			d.in.opt.Logger.Warn("report not taken", "door", doorSM4, "gateway", b.Gateway, "err", err)
		}
		faultOf(err).header(w)
		writeJSON(w, "application/json", f.status, sm4Answer{f.code, f.reason, dataID})
		return
	}
	answer, status := sm4Outcome(out)
	answer.DataID = dataID
	writeJSON(w, "application/json", status, answer)
}

// sm4FaultOf finds this door's code for an error.
func sm4FaultOf(err error) *sm4Fault {
	var own *sm4Fault
	if errors.As(err, &own) {
		return own
	}
	f := faultOf(err)
	code := codeServer
	switch f.status {
	case http.StatusUnauthorized:
		code = codeAppID
	case http.StatusTooManyRequests:
		code = codeRate
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		code = codeSchema
	}
	return &sm4Fault{code, f.status, f.detail}
}

// sm4Outcome words what became of a report. A report that was there already is a success (domain 2.4: idempotency); one whose
// readings contradict what is stored is not. Some readings refused leaves status 200: the others are stored.
func sm4Outcome(out Outcome) (sm4Answer, int) {
	stored := out.Stored + out.Duplicates
	switch {
	case len(out.Refused) > 0:
		code := codeSchema
		switch out.Refused[0].GetRule() {
		case ruleUnknown, ruleOwner, ruleDisabled:
			code = codeUnknown
		case ruleTime, ruleOld:
			code = codeTime
		}
		status := http.StatusOK
		if stored == 0 {
			status = http.StatusBadRequest
		}
		return sm4Answer{Code: code, Message: fmt.Sprintf("%d refused, %d stored: %s", out.BadCount, stored, reasons(out.Refused))}, status
	case out.Conflicts > 0:
		return sm4Answer{Code: codeDuplicate, Message: fmt.Sprintf("%d were there with another value, which stays", out.Conflicts)}, http.StatusOK
	case out.Duplicates > 0 && out.Stored == 0:
		return sm4Answer{Message: "ok, all was there already"}, http.StatusOK
	}
	return sm4Answer{Message: "ok"}, http.StatusOK
}

func (d *sm4Door) take(w http.ResponseWriter, r *http.Request, b *Batch) (dataID string, out Outcome, err error) {
	body, err := d.in.body(w, r)
	if err != nil {
		return "", out, err
	}
	var envelope struct {
		AppID string `json:"appid"`
		Data  string `json:"data"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return "", out, &sm4Fault{codeSchema, http.StatusBadRequest, "the body is no JSON object with appid and data"}
	}
	g, err := d.authenticate(r, envelope.AppID)
	if err != nil {
		return "", out, err
	}
	b.Gateway = g.Record.GetCode()
	plain, err := d.decrypt(g, envelope.Data)
	if err != nil {
		d.in.malformed(r.Context(), b, nil, err)
		return "", out, err
	}
	b.Content = plain
	rep, err := d.in.opt.Mapping.report(plain)
	if err == nil {
		err = d.fill(b, g, rep)
	}
	if err != nil {
		d.in.malformed(r.Context(), b, plain, err)
		var own *sm4Fault
		if !errors.As(err, &own) {
			err = &sm4Fault{codeSchema, http.StatusBadRequest, clip(err.Error())}
		}
		return rep.dataID, out, err
	}
	out, err = d.in.Take(r.Context(), b)
	return rep.dataID, out, err
}

func (d *sm4Door) authenticate(r *http.Request, appid string) (*Gateway, error) {
	g, ok, err := d.in.directory.ByAppID(r.Context(), appid)
	if err != nil {
		return nil, err
	}
	var want []byte
	if ok && !g.Record.GetDisabled() {
		want = g.Credential.GetAppsecretSm3()
	}
	return g, d.in.prove(doorSM4, remoteHost(r)+"/"+appid, want, r.Header.Get("appsecret"))
}

// decrypt opens the gateway's key and decrypts a report. All ways in which the ciphertext can be wrong give one answer: telling wrong
// padding from wrong form would let a stranger decrypt by asking.
func (d *sm4Door) decrypt(g *Gateway, data string) ([]byte, error) {
	key, err := d.in.openKey(g)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	refused := &sm4Fault{codeDecrypt, http.StatusBadRequest, "data does not decrypt: hexadecimal, SM4-CBC with PKCS#5 padding"}
	raw, err := hex.DecodeString(data)
	if err != nil {
		return nil, refused
	}
	plain, err := sm.DecryptCBC(key[:sm.KeySize], key[sm.KeySize:], raw)
	if err != nil || !json.Valid(plain) {
		return nil, refused
	}
	return plain, nil
}

// openKey opens the sealed key and IV of a gateway.
func (in *Intake) openKey(g *Gateway) ([]byte, error) {
	if in.opt.Keys == nil {
		return nil, &sm4Fault{codeServer, http.StatusServiceUnavailable, "this door is shut"}
	}
	key, err := in.opt.Keys.Open("gateway/"+g.Record.GetCode(), string(g.Credential.GetSm4Sealed()))
	if err != nil {
		return nil, fmt.Errorf("open key of gateway %s: %w", g.Record.GetCode(), err)
	}
	if len(key) != sm.KeySize+sm.BlockSize {
		return nil, fmt.Errorf("key of gateway %s has %d bytes", g.Record.GetCode(), len(key))
	}
	return key, nil
}

// fill takes the readings of a report over.
func (d *sm4Door) fill(b *Batch, g *Gateway, rep report) error {
	if rep.gateway != "" && rep.gateway != b.Gateway {
		return &sm4Fault{codeUnknown, http.StatusBadRequest, "the report is another gateway's"}
	}
	if rep.enterprise != "" && rep.enterprise != g.Record.GetEnterprise() {
		return &sm4Fault{codeUnknown, http.StatusBadRequest, "the report is another enterprise's"}
	}
	b.SourceLost = rep.lost
	if d.kind == reportHeartbeat {
		return nil
	}
	if d.kind == reportBackfill && len(rep.readings) > reportReadings {
		return &sm4Fault{codeSchema, http.StatusBadRequest, fmt.Sprintf("%d readings, at most %d", len(rep.readings), reportReadings)}
	}
	if len(rep.readings) == 0 {
		if rep.lost {
			return nil
		}
		return &sm4Fault{codeSchema, http.StatusBadRequest, "no readings"}
	}
	m := d.in.opt.Mapping
	at, err := m.when(rep.time)
	if err != nil {
		return &sm4Fault{codeTime, http.StatusBadRequest, err.Error()}
	}
	for i, raw := range rep.readings {
		metric, value, valid, err := m.reading(raw)
		if err != nil {
			b.bad(violation(b.Where, i, "", ruleType, string(raw), clip(err.Error())))
			continue
		}
		r := Reading{Metric: metric, Time: at, Value: value, At: i}
		switch {
		case !valid:
			r.Quality = frame.Fault
		case d.kind == reportBackfill:
			r.Quality = frame.Backfill
		}
		b.Readings = append(b.Readings, r)
	}
	return nil
}

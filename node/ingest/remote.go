package ingest

import (
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

// Remote write 1.0: a snappy block that holds
//
//	WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
//	TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; exemplars = 3; histograms = 4; }
//	Label { string name = 1; string value = 2; }    Sample { double value = 1; int64 timestamp = 2; }  // ms
//
// Taken apart by hand: Prometheus' own types would bring all of Prometheus along.

// staleNaN is the bit pattern with which Prometheus says that a series ended; it is no reading.
const staleNaN uint64 = 0x7ff0000000000002

// parseRemote fills a batch from a remote write request. The label "metric", else the series' name, is the metric's code.
func (in *Intake) parseRemote(b *Batch, r *http.Request, body []byte) error {
	b.Where = "series %d"
	if ct := r.Header.Get("Content-Type"); strings.Contains(ct, "proto=") && !strings.Contains(ct, "prometheus.WriteRequest") {
		return &fault{http.StatusUnsupportedMediaType, "media_type", "remote write 1.0 (prometheus.WriteRequest)", 0}
	}
	size, err := snappy.DecodedLen(body)
	if err != nil {
		return fmt.Errorf("%w: snappy: %w", errForm, err)
	}
	if int64(size) > in.opt.MaxBody*expandedFactor {
		return &http.MaxBytesError{Limit: in.opt.MaxBody * expandedFactor}
	}
	raw, err := snappy.Decode(nil, body)
	if err != nil {
		return fmt.Errorf("%w: snappy: %w", errForm, err)
	}
	if err := b.writeRequest(raw); err != nil {
		return fmt.Errorf("%w: protobuf: %w", errForm, err)
	}
	return nil
}

func (b *Batch) writeRequest(raw []byte) error {
	n := 0
	return eachField(raw, func(number protowire.Number, typ protowire.Type, v []byte, _ uint64) error {
		if number != 1 {
			return nil
		}
		if typ != protowire.BytesType {
			return errWireType
		}
		n++
		return b.timeSeries(v, n)
	})
}

var errWireType = fmt.Errorf("field of another wire type")

func (b *Batch) timeSeries(raw []byte, at int) error {
	var name, metric string
	begin := len(b.Readings)
	histograms := 0
	err := eachField(raw, func(number protowire.Number, typ protowire.Type, v []byte, _ uint64) error {
		if number > 4 {
			return nil
		}
		if typ != protowire.BytesType {
			return errWireType
		}
		switch number {
		case 1:
			label, value, err := remoteLabel(v)
			switch label {
			case "metric":
				metric = value
			case "__name__":
				name = value
			}
			return err
		case 2:
			return b.remoteSample(v, at)
		case 4:
			histograms++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if metric == "" {
		metric = name
	}
	for i := begin; i < len(b.Readings); i++ {
		b.Readings[i].Metric = toValid(metric)
	}
	for range histograms {
		b.bad(violation(b.Where, at, "histogram", ruleType, metric, "float samples"))
	}
	return nil
}

func remoteLabel(raw []byte) (name, value string, err error) {
	err = eachField(raw, func(number protowire.Number, typ protowire.Type, v []byte, _ uint64) error {
		if number <= 2 && typ != protowire.BytesType {
			return errWireType
		}
		switch number {
		case 1:
			name = string(v)
		case 2:
			value = string(v)
		}
		return nil
	})
	return name, value, err
}

func (b *Batch) remoteSample(raw []byte, at int) error {
	var bits, stamp uint64
	err := eachField(raw, func(number protowire.Number, typ protowire.Type, _ []byte, v uint64) error {
		switch {
		case number == 1 && typ == protowire.Fixed64Type:
			bits = v
		case number == 2 && typ == protowire.VarintType:
			stamp = v
		case number <= 2:
			return errWireType
		}
		return nil
	})
	if err == nil && bits != staleNaN {
		b.Readings = append(b.Readings, Reading{Time: int64(stamp), Value: math.Float64frombits(bits), At: at})
	}
	return err
}

// eachField calls fn for every field of a message, with its bytes or its number.
func eachField(raw []byte, fn func(number protowire.Number, typ protowire.Type, v []byte, u uint64) error) error {
	for len(raw) > 0 {
		number, typ, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return protowire.ParseError(n)
		}
		raw = raw[n:]
		var v []byte
		var u uint64
		switch typ {
		case protowire.BytesType:
			v, n = protowire.ConsumeBytes(raw)
		case protowire.VarintType:
			u, n = protowire.ConsumeVarint(raw)
		case protowire.Fixed64Type:
			u, n = protowire.ConsumeFixed64(raw)
		default:
			n = protowire.ConsumeFieldValue(number, typ, raw)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		raw = raw[n:]
		if err := fn(number, typ, v, u); err != nil {
			return err
		}
	}
	return nil
}

// answerRemote answers 204, or 400 with the reasons: 400 tells Prometheus not to send again, the good samples are stored.
func answerRemote(w http.ResponseWriter, _ *Batch, out Outcome) {
	if len(out.Refused) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Error(w, fmt.Sprintf("%d samples refused: %s", out.BadCount, reasons(out.Refused)), http.StatusBadRequest)
}

func faultRemote(w http.ResponseWriter, f *fault) {
	f.header(w)
	http.Error(w, f.code+": "+f.detail, f.status)
}

package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	partition      = 2 * time.Hour
	backfillStep   = 10 * time.Second
	backfillEach   = 10 // samples a series in a request
	sealGrace      = time.Second
	sealWithin     = 3 * time.Minute
	storeSettle    = 25 * time.Second // a checkpoint, as configured below, and what compactions follow
	peerSettle     = 4 * time.Second
	diskCheckpoint = "15s"
)

// onDisk sends two whole hours of readings at once, as a gateway does after an outage, waits until they have settled, and
// looks how large they are on the disk.
func onDisk(ctx context.Context, o options, f *figures) error {
	say("size on the disk: %d series, two hours at 10 s ...", o.backfillPlants*o.collectors*len(kinds))
	length, end := endingSoon(time.Now())
	all := makePlants(o.backfillPlants, o.collectors)
	load := make([][]request, len(all))
	for i, p := range all {
		requests := int(length/backfillStep) / backfillEach
		load[i] = encode(p, newWander(p, uint64(i)), end.Add(-time.Duration(requests*backfillEach)*backfillStep), backfillStep, requests, backfillEach)
	}
	s, err := startSite(ctx, o, "disk", "province", nil, object{"store": object{
		"checkpoint_every": diskCheckpoint, "partition": length.String(), "grace": sealGrace.String(),
	}})
	if s != nil && s.process != nil {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	if err := s.provision(ctx, all); err != nil {
		return err
	}
	base, err := s.tables()
	if err != nil {
		return err
	}
	n := count(load)
	if f.Backfill, err = measure(ctx, s, load); err != nil {
		return err
	}
	if time.Now().After(end) {
		return fmt.Errorf("%d samples were not taken before their partition ended at %s: try fewer (-backfill-plants)", n, end.Format(time.TimeOnly))
	}
	if err := until(ctx, sealWithin, "the partition to seal", func() (bool, error) { return s.sealed(ctx, n) }); err != nil {
		return err
	}
	if err := pause(ctx, storeSettle); err != nil {
		return err
	}
	size, err := s.tables()
	if err != nil {
		return err
	}
	f.BytesPerSample = float64(size-base) / float64(n)
	f.Backfilled = n
	if o.vm == "" {
		return nil
	}
	return peerOnDisk(ctx, o, f, load)
}

// endingSoon finds a length of about two hours of which a partition ends in a minute or so: a site seals by the clock, and
// we will not wait two hours. Partitions begin at multiples of their length since 1970.
func endingSoon(now time.Time) (length time.Duration, end time.Time) {
	const earliest, latest = 60 * time.Second, 80 * time.Second
	for length = partition; ; length -= time.Millisecond {
		past := now.UnixMilli() % length.Milliseconds()
		if left := length - time.Duration(past)*time.Millisecond; left >= earliest && left <= latest {
			return length, now.Add(left)
		}
	}
}

func peerOnDisk(ctx context.Context, o options, f *figures, load [][]request) error {
	v, err := startPeer(ctx, o, "vm-disk")
	if v != nil && v.process != nil {
		defer v.stop()
	}
	if err != nil {
		return err
	}
	if f.PeerBackfill, err = measure(ctx, v, load); err != nil {
		return err
	}
	for _, path := range []string{"/internal/force_flush", "/internal/force_merge"} {
		if _, err := v.get(ctx, path); err != nil {
			return err
		}
	}
	if err := pause(ctx, peerSettle); err != nil {
		return err
	}
	data, err := bytesOf(v.dir, func(path string) bool {
		return strings.Contains(path, "/data/") && !strings.Contains(path, "/indexdb/")
	})
	if err != nil {
		return err
	}
	index, err := bytesOf(v.dir, func(path string) bool { return strings.Contains(path, "/indexdb/") })
	n := float64(count(load))
	f.PeerBytesPerSample, f.PeerIndexBytesPerSample = float64(data)/n, float64(index)/n
	return err
}

// tables are the bytes of the site's store on the disk. The raft log is not among them: it is bounded, and cut behind what is here.
func (s *site) tables() (int64, error) {
	return bytesOf(s.dir, func(path string) bool { return strings.HasSuffix(path, ".sst") })
}

// sealed says whether partitions with so many samples have been sealed.
func (s *site) sealed(ctx context.Context, samples int) (bool, error) {
	var answer struct {
		Items []struct {
			Record struct {
				Samples int `json:"samples"`
			} `json:"record"`
		} `json:"items"`
	}
	if err := s.admin.call(ctx, http.MethodGet, "/api/v1/records/Partition?limit=100", nil, &answer); err != nil {
		return false, fmt.Errorf("partitions: %w", err)
	}
	n := 0
	for _, p := range answer.Items {
		n += p.Record.Samples
	}
	return n >= samples, nil
}

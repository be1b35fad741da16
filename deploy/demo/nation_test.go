package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"dusthub/schema"
	"dusthub/tools/nation"
)

// doors play the sites of a country: they count what is brought in, and refuse credentials from a number on.
type doors struct {
	mu       sync.Mutex
	records  map[string]int // by type
	secrets  map[string]int // asked for, by gateway
	readings int
	refuse   int // credentials given before the doors break
}

func (d *doors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case r.URL.Path == "/api/v1/records":
		var body struct {
			Changes []struct{ Type string }
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, c := range body.Changes {
			d.records[c.Type]++
		}
	case strings.HasSuffix(r.URL.Path, "/credential"):
		gateway := strings.Split(r.URL.Path, "/")[4]
		if d.refuse == 0 {
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		}
		d.refuse--
		d.secrets[gateway]++
		fmt.Fprintf(w, `{"secret":"of %s"}`, gateway)
		return
	case r.URL.Path == "/api/v2/write":
		d.readings++
	}
	fmt.Fprint(w, `{"csrf":"x"}`)
}

// A country whose seeding was interrupted goes on where it ended: nothing is brought in twice, nothing is left out.
func TestCountryGoesOn(t *testing.T) {
	const plants, before = 60, 25
	d := &doors{records: map[string]int{}, secrets: map[string]int{}, refuse: before}
	server := httptest.NewServer(d)
	defer server.Close()
	addr, dir := strings.TrimPrefix(server.URL, "http://"), t.TempDir()
	seed := func(plants int) error {
		r := &run{opt: Options{Dir: dir, Nation: plants, Progress: io.Discard}, sites: nationalSites(), admins: map[string]*session{}}
		c := country{run: r, counties: nation.Counties(), of: map[string]*site{}}
		for _, s := range r.sites {
			s.Replicas[0].Regulator, s.Replicas[0].Access = addr, addr
			r.admins[s.ID] = newSession(s.regulator(), "admin", "x")
			if s.Region != "" {
				c.of[s.Region[:2]] = s
			}
		}
		return c.seed(t.Context())
	}
	if err := seed(plants); err == nil {
		t.Fatal("broken doors were not told of")
	}
	if d.records["Enterprise"] != plants || d.records["Metric"] != plants*nation.SeriesOfPlant || len(d.secrets) != before || d.readings != 0 {
		t.Fatalf("interrupted: %v, %d secrets, %d readings", d.records, len(d.secrets), d.readings)
	}
	d.refuse = plants
	for range 2 { // the second time there is nothing to do
		if err := seed(plants); err != nil {
			t.Fatal(err)
		}
	}
	if d.records["Enterprise"] != plants || len(d.secrets) != plants || d.readings != plants {
		t.Errorf("gone on: %v, %d secrets, %d plants sent readings, wanted %d", d.records, len(d.secrets), d.readings, plants)
	}
	again := 0
	for _, n := range d.secrets {
		again += n - 1
	}
	if again >= nationAtOnce { // those whose answers were under way when the doors broke ask once more
		t.Errorf("%d secrets were asked for again", again)
	}
	if err := seed(plants + 1); err == nil || !strings.Contains(err.Error(), "--reset") {
		t.Errorf("another country in the same folder: %v", err)
	}
}

// Every county's plants have a site, and every site is of one province.
func TestNationalSites(t *testing.T) {
	sites := nationalSites()
	if len(sites) != 32 {
		t.Errorf("%d sites, wanted a ministry and 31 provinces", len(sites))
	}
	for _, c := range nation.Counties() {
		found := 0
		for _, s := range sites[1:] {
			if s.Region[:2] == c[:2] {
				found++
			}
		}
		if found != 1 || schema.RegionName(c) == c {
			t.Errorf("county %s has %d sites", c, found)
		}
	}
}

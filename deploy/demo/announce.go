package demo

import (
	"encoding/json"
	"fmt"
	"os"
)

// announcement is what a test needs to find its way: addresses and logins.
type announcement struct {
	Password string          `json:"password"`
	Sites    []announcedSite `json:"sites"`
}

type announcedSite struct {
	ID         string           `json:"id"`
	Regulator  string           `json:"regulator"`
	Enterprise string           `json:"enterprise"`
	Login      string           `json:"login"` // of the regulator on duty
	Plants     []announcedPlant `json:"plants,omitempty"`
}

type announcedPlant struct {
	Code    string `json:"code"`
	Name    string `json:"name"`
	Manager string `json:"manager"`
	Worker  string `json:"worker"`
}

// announce writes addresses and logins to the file asked for; it appears whole or not at all.
func (r *run) announce() error {
	if r.opt.Announce == "" {
		return nil
	}
	a := announcement{Password: Password}
	for _, s := range r.sites {
		out := announcedSite{ID: s.ID, Regulator: s.regulator(), Enterprise: s.enterprise(), Login: regulatorLogin(s)}
		for _, p := range r.plants {
			if p.Site == s.ID {
				out.Plants = append(out.Plants, announcedPlant{p.Code, p.Name, managerLogin(p), workerLogin(p)})
			}
		}
		a.Sites = append(a.Sites, out)
	}
	b, err := json.Marshal(a) //nolint:gosec // the demonstration's one password is known to everybody
	if err != nil {
		return fmt.Errorf("encode announcement: %w", err)
	}
	if err := os.WriteFile(r.opt.Announce+".new", b, 0o600); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	if err := os.Rename(r.opt.Announce+".new", r.opt.Announce); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return nil
}

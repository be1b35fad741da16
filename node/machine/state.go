package machine

import (
	"encoding/json"
	"fmt"

	"dusthub/node/store"
)

// Names under which the store keeps what belongs to a checkpoint.
const (
	stateEngine  = "engine"
	stateMachine = "machine" // as of H
	stateOwners  = "owners"  // since H
)

// place is how far something of another site was taken in.
type place struct {
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// disowned names an item that was refused because its row belonged to another site then.
type disowned struct {
	Index uint64 `json:"index"` // of the command
	Seq   uint64 `json:"seq"`   // of the item
	Owner string `json:"owner"`
}

// memory is what the machine remembers beside engine and heads. JSON sorts the keys of a map, so equal memories give equal bytes.
type memory struct {
	Ledgers map[string]place `json:"ledgers"` // by origin
	Frames  map[string]place `json:"frames"`  // live lane, by neighbour and origin
	owners  []disowned
	grew    bool // owners did, by the command under way
}

func (m *memory) save(b *store.Batch) error {
	m.grew = false
	raw, err := json.Marshal(m.owners)
	if err != nil {
		return fmt.Errorf("encode refusals: %w", err)
	}
	return b.SaveState(stateOwners, raw)
}

// owner is who owned the row of an item when its command was applied; empty when the sender did, or nobody.
func (m *memory) owner(index, seq uint64) string {
	for _, d := range m.owners {
		if d.Index == index && d.Seq == seq {
			return d.Owner
		}
	}
	return ""
}

func (m *memory) disown(index, seq uint64, owner string) {
	m.owners, m.grew = append(m.owners, disowned{index, seq, owner}), true
}

// keepAll writes everything a replay begins from.
func (m *Machine) keepAll(b *store.Batch) error {
	state, err := m.engine.MarshalState()
	if err != nil {
		return fmt.Errorf("encode engine: %w", err)
	}
	own, err := json.Marshal(&m.memory)
	if err != nil {
		return fmt.Errorf("encode machine: %w", err)
	}
	m.memory.owners, m.since = nil, 0
	for _, write := range []func() error{
		func() error { return b.SaveState(stateEngine, state) },
		func() error { return b.SaveState(stateMachine, own) },
		func() error { return m.memory.save(b) },
		b.Checkpoint,
	} {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

// load reads what keepAll wrote; without a checkpoint everything begins empty.
func (m *Machine) load() error {
	m.memory = memory{Ledgers: map[string]place{}, Frames: map[string]place{}}
	for name, take := range map[string]func([]byte) error{
		stateEngine:  m.engine.UnmarshalState,
		stateMachine: func(b []byte) error { return json.Unmarshal(b, &m.memory) },
		stateOwners:  func(b []byte) error { return json.Unmarshal(b, &m.memory.owners) },
	} {
		raw, ok, err := m.store.LoadState(name)
		if err == nil && !ok && m.store.HeadsAt() != 0 && name != stateOwners {
			err = fmt.Errorf("store has heads as of %d without it", m.store.HeadsAt())
		}
		if err == nil && ok {
			err = take(raw)
		}
		if err != nil {
			return fmt.Errorf("load state %s: %w", name, err)
		}
	}
	return nil
}

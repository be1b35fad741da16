// Package machine applies commands. It is where the ledger's order meets a site's state: the engine judges a command, the
// store keeps what came of it, and both stand at the same index afterwards.
//
// # A crash
//
// Rows and ledgers are written with every command (the store's applied index A); heads of series and the engine's state
// are kept by a checkpoint, as of an index H <= A. After a start the log comes again from behind H:
//
//   - up to H a command is skipped,
//   - up to A it is replayed: heads and engine take it in again, and what the engine says about it is thrown away, because
//     the rows hold it already,
//   - beyond A it is applied.
//
// A replay must come to the same decisions, although the rows have moved on since. So a decision rests on the command, on
// the engine and on what this package remembers (state.go), never on a row; the one that must look at a row, who owns
// it, is kept until the next checkpoint.
package machine

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"dusthub/node/engine"
	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// Options of a machine.
type Options struct {
	Store     *store.Store
	Engine    *engine.Engine // new; the machine brings it to where the store's checkpoint stands
	Hub       *live.Hub
	Logger    *slog.Logger
	Parent    string // id of the parent site; empty at the root
	KeepBytes int    // bytes of samples after which heads and engine are kept, 256 MB; it bounds the replay
}

// defaultKeepBytes is some twenty seconds of replay.
const defaultKeepBytes = 256 << 20

// ErrReplaying says that the commands up to the applied index have not come again yet.
var ErrReplaying = errors.New("machine: replay is not done")

// Machine applies commands in the order of the log. One goroutine calls Apply and Checkpoint.
type Machine struct {
	store  *store.Store
	engine *engine.Engine
	hub    *live.Hub
	log    *slog.Logger
	parent string
	keep   int

	at     atomic.Uint64 // index of the last command seen
	now    atomic.Int64  // its time
	memory memory
	since  int // bytes of samples since the last checkpoint

	looking sync.Mutex // of the engine: held while a command is applied, or a plant is looked at
}

// New makes a machine of a store and brings the engine to where the store's checkpoint stands.
func New(opt Options) (*Machine, error) {
	m := &Machine{store: opt.Store, engine: opt.Engine, hub: opt.Hub, log: opt.Logger, parent: opt.Parent, keep: opt.KeepBytes}
	if m.keep == 0 {
		m.keep = defaultKeepBytes
	}
	if err := m.load(); err != nil {
		return nil, err
	}
	m.at.Store(m.store.HeadsAt())
	m.now.Store(m.engine.Now())
	return m, nil
}

// At is the index of the last command seen: applied, or replayed.
func (m *Machine) At() uint64 { return m.at.Load() }

// Now is the time of the last command seen, in ms.
func (m *Machine) Now() int64 { return m.now.Load() }

// Replayed says whether the commands whose effects are in the rows have all come again, so that heads and engine are whole.
func (m *Machine) Replayed() bool { return m.At() >= m.store.Applied() }

// turn is one command being taken in.
type turn struct {
	*Machine
	index  uint64
	cmd    *schema.Command
	now    int64
	replay bool
	batch  *store.Batch // in a replay only heads are taken from it, and it is discarded
	res    *schema.Result
	whole  bool // heads and engine are kept with this command
}

// Apply takes in the command at an index of the log, the indexes rising. An error is fatal: the state is behind the log
// and the process must end; after a start the command comes again.
func (m *Machine) Apply(index uint64, data []byte) (*schema.Result, error) {
	res := &schema.Result{Index: index}
	if index <= m.At() {
		return res, nil
	}
	m.looking.Lock()
	defer m.looking.Unlock()
	cmd := &schema.Command{}
	bad := proto.Unmarshal(data, cmd)
	cmd.Time = max(cmd.GetTime(), m.engine.Now(), 1)
	t := &turn{Machine: m, index: index, cmd: cmd, now: cmd.GetTime(), replay: index <= m.store.Applied(), res: res}
	t.batch = m.store.Begin(index, t.now)
	err := t.run(bad)
	if err == nil && !t.replay {
		err = t.commit()
	} else {
		t.batch.Discard()
	}
	if err != nil {
		return nil, fmt.Errorf("apply command %d: %w", index, err)
	}
	m.at.Store(index)
	m.now.Store(t.now)
	if t.replay {
		return res, nil
	}
	head, _ := m.store.Head(m.store.Site())
	res.Seq = head.Seq
	m.hub.Publish(live.Event{Index: index, Time: t.now, Rows: t.batch.Rows()})
	return res, nil
}

// run decides what the command leads to and adds it to the batch.
func (t *turn) run(bad error) error {
	if !t.replay && t.store.Epoch() == 0 {
		if err := t.batch.SetEpoch(uint64(t.now)); err != nil {
			return err
		}
	}
	if bad != nil {
		t.cmd.Body = nil
		t.refuse("form", bad.Error(), "a command")
	}
	switch body := t.cmd.GetBody().(type) {
	case nil:
		t.refuse("form", "no body", "a command of a known kind")
		t.takeTime()
		return nil
	case *schema.Command_Frame:
		return t.frame(body.Frame)
	case *schema.Command_Tick:
		return t.tick()
	case *schema.Command_Inbound:
		t.takeTime()
		return t.inbound(body.Inbound)
	case *schema.Command_Blob:
		t.takeTime()
		return t.write(func() error { return t.batch.PutBlob(body.Blob) })
	case *schema.Command_Checkpoint:
		t.takeTime()
		return t.write(func() error { return t.batch.PutCheckpoint(body.Checkpoint) })
	}
	if put := t.cmd.GetPut(); put != nil && t.rewrites(put) {
		t.takeTime()
		return nil
	}
	_, err := t.judge()
	return err
}

// takeTime tells the engine the time of a command that is not its own.
func (t *turn) takeTime() { t.engine.Apply(&schema.Command{Time: t.now}) }

// write does what a replay need not do again.
func (t *turn) write(what func() error) error {
	if t.replay {
		return nil
	}
	return what()
}

// refuse adds a reason why the command as a whole changes nothing.
func (t *turn) refuse(rule, got, wanted string) {
	t.res.Violations = append(t.res.Violations, &schema.Violation{Record: "Command/" + t.cmd.GetId(), Rule: rule, Got: got, Wanted: wanted})
}

// judge asks the engine about the command; false when it changes nothing.
func (t *turn) judge() (bool, error) {
	e := t.engine.Apply(t.cmd)
	t.res.Keys, t.res.Violations, t.res.Duplicate = e.Keys, e.Violations, e.Duplicate
	return !e.Duplicate && !schema.Refuses(e.Violations), t.effects(e)
}

// effects writes the changes of this site's records that the engine asks for, and seals.
func (t *turn) effects(e engine.Effects) error {
	if t.replay {
		return nil
	}
	for _, c := range e.Changes {
		if err := t.own(store.Change{Type: c.Type, Key: c.Key, Record: c.Record, Deleted: c.Deleted, To: c.To}); err != nil {
			return err
		}
	}
	if e.SealBefore == 0 || !t.store.HasSealable(e.SealBefore) {
		return nil
	}
	parts, err := t.batch.SealBefore(e.SealBefore)
	if err != nil {
		return err
	}
	t.whole = true
	for _, p := range parts {
		if err := t.own(store.Change{Type: "Partition", Key: p.GetId(), Record: p}); err != nil {
			return err
		}
	}
	return nil
}

func (t *turn) own(c store.Change) error {
	c.Actor, c.Cause = t.cmd.GetActor(), t.cmd.GetId()
	_, err := t.batch.Own(c)
	return err
}

// commit writes the batch, with heads and engine when a sealing is in it or enough samples came since they were kept.
func (t *turn) commit() error {
	if t.whole || t.since >= t.keep {
		if err := t.keepAll(t.batch); err != nil {
			return err
		}
	} else if t.memory.grew {
		if err := t.memory.save(t.batch); err != nil {
			return err
		}
	}
	return t.batch.Commit()
}

// Checkpoint keeps heads and engine as of the last command, so that the log before it is not needed after the store is
// flushed. Errors: ErrReplaying.
func (m *Machine) Checkpoint() error {
	at := m.At()
	if !m.Replayed() {
		return ErrReplaying
	}
	if m.store.HeadsAt() == at {
		return nil
	}
	b := m.store.Begin(at, m.Now())
	if err := m.keepAll(b); err != nil {
		b.Discard()
		return fmt.Errorf("keep heads and engine as of %d: %w", at, err)
	}
	if err := b.Commit(); err != nil {
		return fmt.Errorf("keep heads and engine as of %d: %w", at, err)
	}
	return nil
}

// Inspect tells what a plant of this site is judged by, between two commands. Any goroutine may call it; false when there is no
// such plant, or a replay is not done yet.
func (m *Machine) Inspect(plant string) (engine.Inspection, bool) {
	if !m.Replayed() {
		return engine.Inspection{}, false
	}
	m.looking.Lock()
	defer m.looking.Unlock()
	return m.engine.Inspect(plant)
}

// Check lists every reason why a put would be refused now, in the name of an actor; false when a replay is not done yet. It changes
// nothing. Any goroutine may call it.
func (m *Machine) Check(actor string, put *schema.Put) ([]*schema.Violation, bool) {
	if !m.Replayed() {
		return nil, false
	}
	m.looking.Lock()
	defer m.looking.Unlock()
	return m.engine.Check(actor, put), true
}

// Copy is an engine that knows one plant as this site's does, between two commands, and no other: what is tried on it changes
// nothing here. Of an unknown plant it knows nothing but could take it in. False when a replay is not done yet. Any goroutine may
// call it.
func (m *Machine) Copy(plant string) (*engine.Engine, bool) {
	if !m.Replayed() {
		return nil, false
	}
	m.looking.Lock()
	state, err := m.engine.Excerpt(plant)
	m.looking.Unlock()
	if err != nil {
		m.log.Error("copy a plant", "plant", plant, "err", err)
		return nil, false
	}
	e, err := m.engine.Alike(state)
	if err != nil {
		m.log.Error("copy a plant", "plant", plant, "err", err)
		return nil, false
	}
	return e, true
}

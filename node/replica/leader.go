package replica

import (
	"google.golang.org/grpc/connectivity"
)

// followLeadership lets this replica lead once everything before its leadership is applied, and tells who watches.
func (r *Replica) followLeadership() {
	defer r.wg.Done()
	for {
		select {
		case leads := <-r.raft.LeaderCh():
			if leads {
				leads = r.settled(r.raft.Barrier(0)) == nil
			}
			r.announce(leads)
		case <-r.closed:
			r.announce(false)
			return
		}
	}
}

func (r *Replica) announce(leads bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leading.Swap(leads) != leads {
		r.log.Info("leadership", "leads", leads)
	}
	for w := range r.watchers {
		tell(w, leads)
	}
}

// tell puts the newest state in a channel that holds one.
func tell(w chan bool, leads bool) {
	select {
	case <-w:
	default:
	}
	w <- leads
}

// Leadership gives a channel that holds whether this replica leads, at first and whenever that changes, and a function
// that ends it. Only the newest state is kept.
func (r *Replica) Leadership() (<-chan bool, func()) {
	w := make(chan bool, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers[w] = struct{}{}
	tell(w, r.leading.Load())
	return w, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.watchers, w)
	}
}

// IsLeader says whether this replica leads and has applied everything before its leadership.
func (r *Replica) IsLeader() bool { return r.leading.Load() }

// Leader is the id of the leader as far as this replica knows, empty when it knows none, and whether it is this one.
func (r *Replica) Leader() (id string, self bool) {
	_, leader := r.raft.LeaderWithID()
	return string(leader), string(leader) == r.opt.Self.ID
}

// Info is one replica of the site, as this one sees it.
type Info struct {
	Peer
	Self   bool
	Leader bool
	Alive  bool // connected with this replica
}

// Replicas lists the replicas of the site as configured.
func (r *Replica) Replicas() []Info {
	leader, _ := r.Leader()
	out := make([]Info, 0, len(r.opt.Peers))
	for _, p := range r.opt.Peers {
		i := Info{Peer: p, Self: p.ID == r.opt.Self.ID, Leader: p.ID == leader}
		i.Alive = i.Self
		if c := r.peers[p.ID]; c != nil {
			i.Alive = c.GetState() == connectivity.Ready
		}
		out = append(out, i)
	}
	return out
}

// Stats is where a replica stands.
type Stats struct {
	State   string // Follower, Candidate, Leader, Shutdown
	Leader  string // id, empty when there is none
	Term    uint64
	First   uint64 // oldest command in the log
	Last    uint64 // newest
	Commit  uint64
	Applied uint64
}

// maxLag is how many commands a replica may be behind and still answer as if it were not.
const maxLag = 1000

// Lagging says that this replica has much to apply before it is where the site is.
func (r *Replica) Lagging() bool { return r.raft.CommitIndex() > r.raft.AppliedIndex()+maxLag }

// Stats tells where this replica stands.
func (r *Replica) Stats() Stats {
	leader, _ := r.Leader()
	first, err := r.wal.FirstIndex()
	if err != nil {
		first = 0 // the log is closed
	}
	return Stats{
		State: r.raft.State().String(), Leader: leader, Term: r.raft.CurrentTerm(), First: first, Last: r.raft.LastIndex(),
		Commit: r.raft.CommitIndex(), Applied: r.raft.AppliedIndex(),
	}
}

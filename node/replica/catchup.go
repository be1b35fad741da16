package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"dusthub/schema/rpc"

	hclog "github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Folders of a replica.
const (
	walFolder   = "log"
	fetchFolder = "fetch" // a checkpoint of the store while it is sent
	incoming    = ".incoming"
)

const (
	pieceBytes  = 256 << 10
	fetchPause  = time.Second
	holdFor     = time.Minute
	folderMode  = 0o700
	contentMode = 0o600
)

func openManifests(dir string, log hclog.Logger) (raft.SnapshotStore, error) {
	s, err := raft.NewFileSnapshotStoreWithLogger(dir, manifestsKept, log)
	if err != nil {
		return nil, fmt.Errorf("open manifests: %w", err)
	}
	return s, nil
}

// newest is the newest manifest with its raft index; zero when there is none.
func newest(manifests raft.SnapshotStore) (manifest, uint64, error) {
	list, err := manifests.List()
	if err != nil || len(list) == 0 {
		return manifest{}, 0, err
	}
	meta, source, err := manifests.Open(list[0].ID)
	if err != nil {
		return manifest{}, 0, fmt.Errorf("open manifest: %w", err)
	}
	defer source.Close()
	m, err := readManifest(source)
	return m, meta.Index, err
}

// reconcile makes log and manifest fit together after a store was fetched: what the log holds from before is of no use.
func (r *Replica) reconcile(manifests raft.SnapshotStore) error {
	m, index, err := newest(manifests)
	if err != nil {
		return err
	}
	if m.Kept > r.opt.Store.HeadsAt() {
		return fmt.Errorf("%w: store has %d, manifest %d", ErrBehind, r.opt.Store.HeadsAt(), m.Kept)
	}
	first, err := r.wal.FirstIndex()
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	last, err := r.wal.LastIndex()
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	if last == 0 || last >= index {
		return nil
	}
	r.log.Info("log is older than the store: begun anew", "last", last, "store", m.Kept)
	if err := r.wal.DeleteRange(first, last); err != nil {
		return fmt.Errorf("begin log anew: %w", err)
	}
	return nil
}

// Behind is the index that this replica's newest manifest asks of its store, whose HeadsAt is given; 0 when the store is new enough.
func Behind(opt Options, headsAt uint64) (uint64, error) {
	if err := os.MkdirAll(opt.Dir, folderMode); err != nil {
		return 0, fmt.Errorf("make replica folder: %w", err)
	}
	manifests, err := openManifests(opt.Dir, hcLogger(opt.Logger))
	if err != nil {
		return 0, err
	}
	m, _, err := newest(manifests)
	if err != nil || m.Kept <= headsAt {
		return 0, err
	}
	return m.Kept, nil
}

// CatchUp fetches a checkpoint of another replica's store, as of atLeast or later, and puts it in the place of storeDir,
// which nobody may have open. It tries until the context ends.
func CatchUp(ctx context.Context, opt Options, storeDir string, atLeast uint64) error {
	log := opt.Logger.With("part", "replica")
	log.Info("store is behind the others: fetching theirs", "wanted", atLeast)
	to := storeDir + incoming
	if len(opt.Peers) < 2 {
		return fmt.Errorf("%w: the store lacks what the log no longer has, and there is no other replica: restore a backup", ErrBehind)
	}
	for {
		var err error
		for _, p := range opt.Peers {
			if p.ID == opt.Self.ID {
				continue
			}
			if err = opt.fetch(ctx, p, atLeast, to); err == nil {
				log.Info("store fetched", "from", p.ID)
				return replaceFolder(to, storeDir)
			}
			log.Warn("store not fetched", "from", p.ID, "err", err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(fetchPause):
		}
	}
}

// replaceFolder puts a folder in the place of another. After a crash between the two steps the other is missing, which is behind, too.
func replaceFolder(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return fmt.Errorf("replace store: %w", err)
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("replace store: %w", err)
	}
	return syncFolder(filepath.Dir(to))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}

// fetch reads a checkpoint of another replica's store into a folder.
func (o *Options) fetch(ctx context.Context, p Peer, atLeast uint64, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	conn, err := o.dial(p)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // what was received says whether all went well
	in, err := rpc.NewReplicaClient(conn).FetchCheckpoint(ctx, &rpc.FetchRequest{Checkpoint: strconv.FormatUint(atLeast, 10)})
	if err != nil {
		return fmt.Errorf("fetch store of %s: %w", p.ID, err)
	}
	if err := receive(in, dir); err != nil {
		return fmt.Errorf("fetch store of %s: %w", p.ID, err)
	}
	return syncFolder(dir)
}

func receive(in grpc.ServerStreamingClient[rpc.FileChunk], dir string) error {
	var f *os.File
	defer func() {
		if f != nil {
			f.Close()
		}
	}()
	for {
		c, err := in.Recv()
		if errors.Is(err, io.EOF) && f == nil {
			return nil
		}
		if err != nil {
			return err
		}
		if f == nil {
			name := c.GetName()
			if name != filepath.Base(name) || name == "." || name == ".." || name == string(filepath.Separator) {
				return fmt.Errorf("file name %q", name)
			}
			if f, err = os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, contentMode); err != nil {
				return err
			}
		}
		if _, err := f.Write(c.GetData()); err != nil {
			return err
		}
		if !c.GetLast() {
			continue
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
		f = nil
	}
}

// hold keeps this replica from making a manifest for a while: the one who fetches must find that the manifest the leader
// sends it next is no newer than what it fetched.
func (r *Replica) hold() {
	r.keeping.Lock() // one that is being made is older than what is fetched
	defer r.keeping.Unlock()
	r.heldUntil = time.Now().Add(holdFor)
}

// FetchCheckpoint sends this replica's store as it is on the disk, when that is as new as is asked. It is the leader's to
// answer, if there is one.
func (s *service) FetchCheckpoint(req *rpc.FetchRequest, out grpc.ServerStreamingServer[rpc.FileChunk]) error {
	atLeast, err := strconv.ParseUint(req.GetCheckpoint(), 10, 64)
	if err != nil {
		return status.Error(codes.InvalidArgument, "checkpoint is the index that is needed at least")
	}
	if leader, self := s.r.Leader(); leader != "" && !self {
		return status.Error(codes.FailedPrecondition, "not the leader")
	}
	s.r.fetching.Lock()
	defer s.r.fetching.Unlock()
	s.r.hold()
	defer s.r.hold()
	if err = s.r.opt.Store.Flush(); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	if h := s.r.opt.Store.HeadsAt(); h < atLeast {
		return status.Errorf(codes.FailedPrecondition, "has %d, wanted %d", h, atLeast)
	}
	dir := filepath.Join(s.r.opt.Dir, fetchFolder)
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover is removed before the next
	if err = os.RemoveAll(dir); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	if err = s.r.opt.Store.CheckpointTo(dir); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	for _, f := range files {
		if err := send(out, dir, f.Name()); err != nil {
			return err
		}
	}
	return nil
}

func send(out grpc.ServerStreamingServer[rpc.FileChunk], dir, name string) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	defer f.Close()
	buf := make([]byte, pieceBytes)
	for {
		n, err := io.ReadFull(f, buf)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return status.Error(codes.Internal, err.Error())
		}
		if err := out.Send(&rpc.FileChunk{Name: name, Data: buf[:n], Last: last}); err != nil {
			return err
		}
		if last {
			return nil
		}
	}
}

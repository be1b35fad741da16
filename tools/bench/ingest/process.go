package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	stopWithin  = 20 * time.Second // VictoriaMetrics writes out what it holds
	startWithin = 30 * time.Second
	poll        = 50 * time.Millisecond
)

// process is a server that is measured.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
}

// start runs a program with its output in a file. The kernel ends it when we die, however we die.
func start(dir, name, binary string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	defer log.Close()
	cmd := exec.CommandContext(context.Background(), binary, args...) //nolint:gosec // the programs to be measured
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		close(p.done)
	}()
	return p, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(stopWithin):
		_ = p.cmd.Process.Kill() // as above
		<-p.done
	}
}

// ready waits until the server answers 200.
func (p *process) ready(ctx context.Context, url string) error {
	return until(ctx, startWithin, p.name+" to get ready", func() (bool, error) {
		select {
		case <-p.done:
			return false, fmt.Errorf("%s ended", p.name)
		default:
		}
		code, _, err := fetch(ctx, url)
		return err == nil && code == http.StatusOK, nil
	})
}

// cpu is the processor time of the server so far: utime and stime of /proc/PID/stat, in ticks of 10 ms.
func (p *process) cpu() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("processor time of %s: %w", p.name, err)
	}
	const utime, stime = 11, 12 // counted behind the name, which may hold spaces
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) <= stime {
		return 0, fmt.Errorf("processor time of %s: %q", p.name, raw)
	}
	u, err1 := strconv.ParseInt(fields[utime], 10, 64)
	s, err2 := strconv.ParseInt(fields[stime], 10, 64)
	return time.Duration(u+s) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// memory is the resident memory of the server, in MB.
func (p *process) memory() int {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid)) // nothing read gives 0
	fields := strings.Fields(string(raw))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1]) // of the kernel's own making
	return pages * os.Getpagesize() >> 20
}

// until waits for something that cannot be awaited otherwise: it is another process's doing.
func until(ctx context.Context, within time.Duration, what string, is func() (bool, error)) error {
	for deadline := time.Now().Add(within); ; {
		ok, err := is()
		if ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s for %s", within, what)
		}
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bytesOf sums the files below a folder whose path matches.
func bytesOf(dir string, match func(path string) bool) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a file that a running server has thrown away meanwhile
		}
		if err != nil || d.IsDir() || !match(path) {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

// freeAddrs finds ports of loopback; they are let go of together, so that no two are the same.
func freeAddrs(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a moment's probe of loopback
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out, nil
}

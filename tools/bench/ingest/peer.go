package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
)

// peer is VictoriaMetrics.
type peer struct {
	*process
	addr, dir string
}

// startPeer runs VictoriaMetrics as it comes, but for where it listens and keeps its data.
func startPeer(ctx context.Context, o options, name string) (*peer, error) {
	addrs, err := freeAddrs(1)
	if err != nil {
		return nil, err
	}
	v := &peer{addr: addrs[0], dir: filepath.Join(o.dir, name)}
	if v.process, err = start(o.dir, name, o.vm, "-httpListenAddr="+v.addr, "-storageDataPath="+v.dir, "-loggerLevel=WARN"); err != nil {
		return nil, err
	}
	return v, v.ready(ctx, "http://"+v.addr+"/health")
}

func (v *peer) write() string { return "http://" + v.addr + "/api/v1/write" }

func (v *peer) authorize(*http.Request, string) {}

// get makes a call that must succeed.
func (v *peer) get(ctx context.Context, path string) ([]byte, error) {
	code, body, err := fetch(ctx, "http://"+v.addr+path)
	if err == nil && code/100 != 2 {
		err = fmt.Errorf("%s: %d %.300s", path, code, body)
	}
	return body, err
}

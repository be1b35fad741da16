package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are the sizes of a run.
type options struct {
	binary, vm, dir    string
	plants, collectors int // a plant has one gateway; a collector has a metric of each kind
	turns, rounds      int // of a turn: each gateway sends so many requests
	backfillPlants     int
	alarms             int
	json               bool
}

func parse() (options, error) {
	var o options
	flag.StringVar(&o.binary, "dusthub", "bin/dusthub", "the program")
	flag.StringVar(&o.vm, "vm", "", "VictoriaMetrics' program; empty: our figures alone")
	flag.StringVar(&o.dir, "dir", "", "folder to work in, on the disk to be measured; empty: a temporary one")
	flag.IntVar(&o.plants, "plants", 20, "plants, each with one gateway")
	flag.IntVar(&o.collectors, "collectors", 200, "collectors of a plant, with five series each")
	flag.IntVar(&o.turns, "turns", 3, "turns of each system")
	flag.IntVar(&o.rounds, "rounds", 10, "requests of each gateway in a turn")
	flag.IntVar(&o.backfillPlants, "backfill-plants", 4, "plants whose two hours are sent late, for the size on the disk")
	flag.IntVar(&o.alarms, "alarms", 150, "alarms raised, without and with load")
	flag.BoolVar(&o.json, "json", false, "print JSON instead of a table")
	flag.Parse()
	switch {
	case o.plants < 2 || o.plants > 9999 || o.backfillPlants < 1 || o.backfillPlants > o.plants:
		return o, errors.New("plants: at least 2, at most 9999, and no fewer than backfill-plants")
	case o.collectors < 1 || o.collectors > 999 || o.alarms < 1 || o.alarms > o.collectors:
		return o, errors.New("collectors: 1 to 999, and no fewer than alarms, since each has one temperature that is made to alarm")
	case o.turns < 1 || o.rounds < 1:
		return o, errors.New("turns and rounds: at least 1")
	}
	return o, nil
}

// mostTime ends a run that hangs.
const mostTime = 20 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	err := run(ctx)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	o, err := parse()
	if err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp(o.dir, "dusthub-bench-"); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w (logs are in %s)", err, o.dir)
			return
		}
		err = os.RemoveAll(o.dir)
	}()
	f := &figures{VictoriaMetrics: o.vm != ""}
	if err := onDisk(ctx, o, f); err != nil {
		return fmt.Errorf("size on the disk: %w", err)
	}
	if err := atWork(ctx, o, f); err != nil {
		return err
	}
	return f.print(os.Stdout, o)
}

// say tells whoever waits what is going on.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

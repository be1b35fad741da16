// Command rules compares how much processor time judging alarm rules takes: dusthub's engine and Prometheus's rule manager, each in this
// one process, over the same series, readings and rules. Each round every series has one new reading, and every rule is judged once. What is
// timed is judging alone: dusthub's engine takes the round's frames and a tick, Prometheus evaluates its group of rules at the round's time; its
// appending of the readings to its TSDB is outside the clock. Figures are processor time (user and system), not the clock's.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"
)

// load is what both systems judge.
type load struct {
	plants, collectors int
	rounds             int
	flood              bool // one series in a hundred is out of limits every other minute
}

const (
	step     = int64(15_000) // ms between rounds
	start    = int64(1_700_000_000_000)
	warmUp   = 4
	perPlant = 10 // series of a collector
)

func (l load) series() int { return l.plants * l.collectors * perPlant }

// value is a series' reading in a round: quiet noise around 20, far from every limit; in a flood one series in a hundred is at 95 for four
// rounds and at 20 for four.
func (l load) value(series, round int) float64 {
	if l.flood && series%100 == 0 && round/4%2 == 1 {
		return 95
	}
	return 20 + float64((series*7+round*13)%17)/10
}

// The five rules of every series: two limits above, two below, and the ends of the sensor's range; each with a delay (`for`). The rate of change
// is left out: as a range query it would cost Prometheus most.
const (
	limitHH, limitH, limitL, limitLL = 90.0, 60.0, 5.0, 2.0
	hold                             = 30 * time.Second
)

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// timed is the processor time of a function, the garbage of what went before not counted.
func timed(fn func() error) (time.Duration, error) {
	before := cpu()
	err := fn()
	return cpu() - before, err
}

func main() {
	var l load
	flag.IntVar(&l.plants, "plants", 1000, "plants")
	flag.IntVar(&l.collectors, "collectors", 10, "collectors of each, with ten series")
	flag.IntVar(&l.rounds, "rounds", 16, "rounds that are measured")
	profile := flag.String("profile", "", "write a processor profile of dusthub's part to this file")
	flag.Parse()
	fmt.Printf("%d series, 5 rules each with a delay of %s, %d rounds, GOMAXPROCS %d\n\n", l.series(), hold, l.rounds, runtime.GOMAXPROCS(0))
	fmt.Println("| | dusthub: rule evaluations / CPU s | Prometheus: rule evaluations / CPU s | ratio | alarms, dusthub | alerts, Prometheus |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	for _, l.flood = range []bool{false, true} {
		stop := profiled(*profile)
		ours, alarms, err := dusthub(l)
		stop()
		*profile = "" // of the quiet load alone
		if err != nil {
			fail(err)
		}
		runtime.GC()
		theirs, alerts, err := prometheus(context.Background(), l)
		if err != nil {
			fail(err)
		}
		runtime.GC()
		n := float64(5 * l.series() * l.rounds)
		name := "quiet"
		if l.flood {
			name = "flood of one series in a hundred"
		}
		fmt.Printf("| %s | %.1f M | %.1f M | %.1f | %d | %d |\n", name, n/ours.Seconds()/1e6, n/theirs.Seconds()/1e6, theirs.Seconds()/ours.Seconds(), alarms, alerts)
	}
}

// profiled begins a processor profile; what it returns ends it.
func profiled(file string) (stop func()) {
	if file == "" {
		return func() {}
	}
	f, err := os.Create(file)
	if err != nil {
		fail(err)
	}
	if err = pprof.StartCPUProfile(f); err != nil {
		fail(err)
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

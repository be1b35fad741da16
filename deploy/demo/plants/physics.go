package plants

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// ShiftCycle is how long a shift of the demonstration lasts: a working day in fast motion, so that a visitor sees
// machines start, clog, clean and stop within minutes.
const ShiftCycle = 12 * time.Minute

// Machine is the physics of one unit: a fan, a filter that clogs and is pulsed clean, a hopper that warms, or a tank and
// a pump. It is advanced by Step and read like a PLC.
type Machine struct {
	unit Unit
	mu   sync.Mutex
	rnd  *rand.Rand
	// state
	elapsed    time.Duration
	phase      time.Duration
	production bool
	fan        bool
	load       float64 // 0..1
	cake       float64 // dust on the filter, 0..1
	hopper     float64 // °C
	level      float64 // m
	flow       float64 // m³/h
	hydrogen   float64 // %LEL
	lock       bool    // discharge fault
	spark      bool
	quench     bool
	current    float64 // A
}

// NewMachine makes the physics of a unit; seed makes plants differ, the same seed always gives the same plant.
func NewMachine(u Unit, seed uint64) *Machine {
	rnd := rand.New(rand.NewPCG(seed, 0xd057)) //nolint:gosec // noise of physics that is to be the same every time
	return &Machine{unit: u, rnd: rnd, phase: time.Duration(rnd.Int64N(int64(ShiftCycle))), hopper: 24, level: 1.2, cake: 0.2 + 0.3*rnd.Float64()}
}

// Step advances the machine by dt under an incident (None for none).
func (m *Machine) Step(dt time.Duration, i Incident) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.elapsed += dt
	s := dt.Seconds()
	m.shift(i)
	m.filter(s, i)
	m.heat(s, i)
	m.water(s, i)
	m.lock = i == LockFault
	m.spark = i == Spark
	m.quench = i == Spark
	m.current = 0
	if m.fan {
		m.current = 38 + 14*m.load + m.noise(0.4)
	}
}

// shift starts the fan before production and stops it ten minutes after (GB 15577-2018 8.1.6), in fast motion.
func (m *Machine) shift(i Incident) {
	at := (m.elapsed + m.phase) % ShiftCycle
	working := at < ShiftCycle*10/12
	m.production = working && at > ShiftCycle/60
	m.fan = working || at < ShiftCycle*11/12
	switch i {
	case FanLate:
		m.fan, m.production = false, true
	case FanEarly:
		m.fan, m.production = false, false
	case None:
	default:
		m.fan, m.production = true, true // an incident finds the machine at work
	}
	target := 0.0
	if m.production {
		target = 0.75 + 0.2*math.Sin(2*math.Pi*m.elapsed.Seconds()/97)
	}
	m.load += (target - m.load) * 0.15
}

// filter loads the bags with dust; a pulse every so often blows most of it off. A torn air line (Clog) stops the pulses.
func (m *Machine) filter(s float64, i Incident) {
	if m.fan {
		m.cake += s * 0.0035 * (0.3 + m.load)
	}
	if i == Clog {
		m.cake += s * 0.09
	} else if m.cake > 0.62 {
		m.cake = 0.3 + 0.05*m.rnd.Float64()
	}
	m.cake = math.Min(m.cake, 1.9)
}

func (m *Machine) heat(s float64, i Incident) {
	target := 26 + 16*m.load
	rate := 0.02
	if i == Overheat {
		target, rate = 96, 0.05
	} else if m.hopper > 50 {
		rate = 0.06
	}
	m.hopper += (target - m.hopper) * (1 - math.Exp(-rate*s))
}

func (m *Machine) water(s float64, i Incident) {
	level, flow, hydrogen := 1.2, 0.0, 0.5
	if m.fan {
		flow = 20 + 2*m.load
		hydrogen = 1.5 + 3*m.load
	}
	rate := 0.1
	switch i {
	case LevelFalls:
		level, rate = 0.8, 0.06
	case FlowFalls:
		flow, rate = 7, 0.12
	case Hydrogen:
		hydrogen, rate = 62, 0.06
	default:
	}
	m.level += (level - m.level) * (1 - math.Exp(-rate*s))
	m.flow += (flow - m.flow) * (1 - math.Exp(-2*rate*s))
	m.hydrogen += (hydrogen - m.hydrogen) * (1 - math.Exp(-rate*s))
}

func (m *Machine) noise(size float64) float64 { return (m.rnd.Float64()*2 - 1) * size }

// Value reads one kind of metric now, in its canonical unit. Readings of a stopped fan's pressure difference are kept above
// the low limit by the idle draught of the stack, as in plants whose limits are judged all day.
func (m *Machine) Value(kind string) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch kind {
	case "T01":
		return m.hopper + m.noise(0.2)
	case "P01":
		if !m.fan {
			return 430 + m.noise(8)
		}
		return 520 + 1050*m.cake + 60*m.load + m.noise(12)
	case "K01":
		return state(m.lock)
	case "S01":
		return state(m.spark)
	case "S02":
		return state(m.quench)
	case "R01":
		return state(m.fan)
	case "R02":
		return state(m.production)
	case "A01":
		return math.Max(0, m.current)
	case "L01":
		return m.level + m.noise(0.004)
	case "F01":
		if !m.fan {
			return 17.5 + m.noise(0.1) // the circulation keeps turning over slowly
		}
		return m.flow + m.noise(0.15)
	case "Q01":
		return math.Max(0, m.hydrogen+m.noise(0.3))
	}
	return math.NaN()
}

// Register reads a point as the PLC holds it: a 16-bit integer, the reading divided by the point's scale.
func (m *Machine) Register(p Point) uint16 {
	v := m.Value(p.Kind)
	if p.Scale != 0 {
		v /= p.Scale
	}
	return uint16(int16(math.Round(math.Max(-32768, math.Min(32767, v)))))
}

// Reading is the point's reading with the resolution of the PLC.
func (m *Machine) Reading(p Point) float64 {
	raw := float64(int16(m.Register(p)))
	if p.Scale == 0 || p.Scale == 1 {
		return raw
	}
	return raw / math.Round(1/p.Scale)
}

func state(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

package plants

import "time"

// Incident is what can go wrong with a unit.
type Incident string

// The incidents of the demonstration.
const (
	None       Incident = ""
	Overheat   Incident = "overheat"    // smouldering in the hopper: T01 past 60, then 70 °C
	Clog       Incident = "clog"        // pulse air fails: P01 past 1500, then 2000 Pa
	LockFault  Incident = "lock_fault"  // lock-air discharge stuck
	Spark      Incident = "spark"       // spark in the duct of a sander
	LevelFalls Incident = "level_falls" // tank leaks
	FlowFalls  Incident = "flow_falls"  // inlet valve closed
	Hydrogen   Incident = "hydrogen"    // ventilation of a wet collector fails
	FanLate    Incident = "fan_late"    // production started without the fan
	FanEarly   Incident = "fan_early"   // fan stopped with production
	SourceLost Incident = "source_lost" // PLC does not answer its gateway
	Offline    Incident = "offline"     // gateway has no power
)

// Episode is an incident at a unit of a plant for a time.
type Episode struct {
	Plant    int // index into All
	Unit     int // index into the plant's units
	Incident Incident
	Start    time.Duration // since the demonstration began
	Length   time.Duration
}

// script is one round of the demonstration: who is struck when. Rounds follow each other without end.
var script = []Episode{
	{Plant: 0, Unit: 0, Incident: FlowFalls, Start: 12 * time.Second, Length: 45 * time.Second},
	{Plant: 2, Unit: 0, Incident: Overheat, Start: 18 * time.Second, Length: 50 * time.Second},
	{Plant: 12, Unit: 0, Incident: Clog, Start: 22 * time.Second, Length: 40 * time.Second},
	{Plant: 4, Unit: 0, Incident: LockFault, Start: 34 * time.Second, Length: 30 * time.Second},
	{Plant: 14, Unit: 1, Incident: LevelFalls, Start: 60 * time.Second, Length: 50 * time.Second},
	{Plant: 13, Unit: 0, Incident: Spark, Start: 75 * time.Second, Length: 6 * time.Second},
	{Plant: 9, Unit: 0, Incident: SourceLost, Start: 80 * time.Second, Length: 60 * time.Second},
	{Plant: 5, Unit: 0, Incident: FanLate, Start: 100 * time.Second, Length: 20 * time.Second},
	{Plant: 8, Unit: 0, Incident: Clog, Start: 110 * time.Second, Length: 50 * time.Second},
	{Plant: 19, Unit: 0, Incident: Offline, Start: 120 * time.Second, Length: 75 * time.Second},
	{Plant: 1, Unit: 0, Incident: Hydrogen, Start: 135 * time.Second, Length: 45 * time.Second},
	{Plant: 10, Unit: 0, Incident: Overheat, Start: 160 * time.Second, Length: 45 * time.Second},
	{Plant: 18, Unit: 0, Incident: Clog, Start: 180 * time.Second, Length: 45 * time.Second},
	{Plant: 6, Unit: 1, Incident: FanEarly, Start: 200 * time.Second, Length: 20 * time.Second},
	{Plant: 16, Unit: 0, Incident: Overheat, Start: 215 * time.Second, Length: 55 * time.Second},
}

// Round is the length of one round of the script.
const Round = 5 * time.Minute

// At is the incident at a unit of a plant, a time after the demonstration began. In later rounds the script strikes other
// units of the same list, so that every plant has its turn.
func At(plant, unit int, elapsed time.Duration, plantCount int) Incident {
	round := int(elapsed / Round)
	at := elapsed % Round
	for _, e := range script {
		struck := (e.Plant + round*7) % plantCount
		if struck == plant && (e.Unit == unit || round > 0) && at >= e.Start && at < e.Start+e.Length {
			return e.Incident
		}
	}
	return None
}

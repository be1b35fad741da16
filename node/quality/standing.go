package quality

import "dusthub/schema"

// standing is one plant's part of its regions' figures.
func (e *entry) standing() *schema.Standing {
	s := &schema.Standing{Plants: 1}
	one := func(is bool, to *int32) {
		if is {
			*to++
		}
	}
	one(e.due, &s.PlantsDue)
	one(e.connected, &s.PlantsConnected)
	one(e.connected && e.heard(), &s.PlantsOnline)
	for _, gateways := range e.systems {
		s.SystemsDue++
		one(len(gateways) > 0, &s.SystemsConnected)
		one(e.online(gateways), &s.SystemsOnline)
	}
	one(e.level == schema.Red, &s.Red)
	one(e.level == schema.Orange, &s.Orange)
	one(e.level == schema.Yellow, &s.Yellow)
	one(e.level == schema.Blue, &s.Blue)
	s.Records, s.RecordsWrong = int64(e.j.Records), int64(e.j.Wrong)
	s.RequiredAsked, s.RequiredFilled = int64(e.j.RequiredAsked), int64(e.j.RequiredFilled)
	s.RecommendedAsked, s.RecommendedFilled = int64(e.j.RecommendedAsked), int64(e.j.RecommendedFilled)
	return s
}

// add adds figures, or takes them away when sign is -1.
func add(to, s *schema.Standing, sign int64) {
	n := int32(sign)
	to.Plants += n * s.GetPlants()
	to.PlantsDue += n * s.GetPlantsDue()
	to.PlantsConnected += n * s.GetPlantsConnected()
	to.PlantsOnline += n * s.GetPlantsOnline()
	to.SystemsDue += n * s.GetSystemsDue()
	to.SystemsConnected += n * s.GetSystemsConnected()
	to.SystemsOnline += n * s.GetSystemsOnline()
	to.Red += n * s.GetRed()
	to.Orange += n * s.GetOrange()
	to.Yellow += n * s.GetYellow()
	to.Blue += n * s.GetBlue()
	to.RequiredAsked += sign * s.GetRequiredAsked()
	to.RequiredFilled += sign * s.GetRequiredFilled()
	to.RecommendedAsked += sign * s.GetRecommendedAsked()
	to.RecommendedFilled += sign * s.GetRecommendedFilled()
	to.Records += sign * s.GetRecords()
	to.RecordsWrong += sign * s.GetRecordsWrong()
}

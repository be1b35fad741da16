package engine

import (
	"fmt"
	"strings"

	"dusthub/schema"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// writable are the types people and programs may put; the others the site makes itself.
var writable = map[string]bool{
	"Enterprise": true, "Workshop": true, "DustSystem": true, "Collector": true, "Gateway": true, "Metric": true, "Camera": true,
	"CleaningPlan": true, "CleaningRecord": true, "SpotCheck": true, "SpotCheckAnswer": true, "Attachment": true, "Credential": true,
	"User": true, "Session": true, "AuditEntry": true, "RiskModel": true, "CodeTable": true, "Site": true, "Org": true, "ApiKey": true, "Shelf": true, "CombinedRule": true, "ModelUse": true, "Channel": true, "Delivery": true,
	"RegionDay": true, "SensingDay": true, "Report": true, "DataKey": true,
	"SavedSearch": true,
}

// ofSite are the types that only the site itself writes: what it says of itself, what became of its calls, and what it counted.
var ofSite = map[string]bool{"Site": true, "ModelUse": true, "Delivery": true, "RegionDay": true, "SensingDay": true, "DataKey": true, "Report": true}

// put writes records: all, or none and every reason why.
func (e *Engine) put(actor string, put *schema.Put) {
	records := e.examine(actor, put)
	if schema.Refuses(e.out.Violations) {
		return
	}
	e.out.Violations = nil
	for i, c := range put.GetChanges() {
		if c.GetDeleted() {
			e.delete(c.GetType(), c.GetKey())
			continue
		}
		e.keep(records[i], c.GetTo())
	}
}

// examine decodes what is put and lists every way in which it does not conform.
func (e *Engine) examine(actor string, put *schema.Put) []schema.Record {
	e.actor, e.role, e.reason = actor, put.GetRole(), put.GetReason()
	records := make([]schema.Record, len(put.GetChanges()))
	fresh := map[string]string{} // what earlier changes of the same command will have written
	for i, c := range put.GetChanges() {
		records[i] = e.check(actor, c, fresh)
	}
	if len(records) == 0 {
		e.refuse("put", "changes", "required", "0", "at least one change")
	}
	const longest = 500
	if len([]rune(put.GetReason())) > longest {
		e.refuse("put", "reason", "max", fmt.Sprint(len([]rune(put.GetReason()))), "at most 500 characters")
	}
	return records
}

// check decodes one change and lists every way in which it does not conform.
func (e *Engine) check(actor string, c *schema.Change, fresh map[string]string) schema.Record {
	if !writable[c.GetType()] || ofSite[c.GetType()] && actor != "site" {
		e.refuse(c.GetType(), "type", "not_writable", c.GetType(), "a type that may be written")
		return nil
	}
	if c.GetDeleted() {
		e.checkDelete(c)
		return nil
	}
	rec, err := schema.Decode(c.GetType(), c.GetRecord())
	if err != nil {
		e.refuse(c.GetType(), "", "form", err.Error(), "a record")
		return nil
	}
	e.out.Violations = append(e.out.Violations, e.tables.ValidateAt(rec, e.st.GetNow())...)
	key := c.GetType() + "/" + schema.KeyOf(rec)
	if (c.GetCreate() || c.GetType() == "AuditEntry") && e.has(key, fresh) {
		e.refuse(key, "", "exists", schema.KeyOf(rec), "a key that is not taken")
	}
	e.references(key, rec, fresh)
	e.own(key, rec)
	fresh[key] = enterpriseOf(rec)
	return rec
}

func (e *Engine) has(key string, fresh map[string]string) bool {
	_, ok := e.keys[key]
	_, soon := fresh[key]
	login, isUser := strings.CutPrefix(key, "User/")
	return ok || soon || isUser && e.users[login]
}

// enterpriseOf is the enterprise a record belongs to, empty when it belongs to none.
func enterpriseOf(rec schema.Record) string {
	if r, ok := rec.(*schema.Enterprise); ok {
		return r.GetCode()
	}
	if r, ok := rec.(interface{ GetEnterprise() string }); ok {
		return r.GetEnterprise()
	}
	return ""
}

// references refuses names of records that do not exist, or that belong to another enterprise.
func (e *Engine) references(subject string, rec schema.Record, fresh map[string]string) {
	of := enterpriseOf(rec)
	rec.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		o, _ := proto.GetExtension(fd.Options(), schema.E_F).(*schema.FieldOptions)
		if o.GetRef() == "" || fd.IsList() || v.String() == "" {
			return true
		}
		key := o.GetRef() + "/" + v.String()
		owner, ok := e.keys[key]
		if soon, now := fresh[key]; now {
			owner, ok = soon, true
		}
		switch {
		case !ok:
			e.refuse(subject, string(fd.Name()), "reference", v.String(), "an existing "+o.GetRef())
		case of != "" && owner != of:
			e.refuse(subject, string(fd.Name()), "owner", v.String(), "a "+o.GetRef()+" of enterprise "+of)
		}
		return true
	})
}

// own refuses what does not belong to this site, or would take what belongs to another enterprise.
func (e *Engine) own(subject string, rec schema.Record) {
	switch r := rec.(type) {
	case *schema.Enterprise:
		region := strings.TrimRight(e.cfg.Region, "0")
		if e.cfg.Level == "ministry" {
			e.refuse(subject, "region", "owner", r.GetRegion(), "a plant is kept by its province")
		} else if !strings.HasPrefix(r.GetRegion(), region) {
			e.refuse(subject, "region", "owner", r.GetRegion(), "a region of "+e.cfg.Region)
		}
	case *schema.Metric:
		e.checkLimits(subject, r)
	case *schema.Shelf:
		e.checkShelf(subject, r)
	case *schema.CombinedRule:
		e.checkCombined(subject, r)
	case *schema.Channel:
		if !e.users[r.GetLogin()] {
			e.refuse(subject, "login", "reference", r.GetLogin(), "an existing User")
		}
	case *schema.CleaningRecord:
		e.named(subject, r.GetId(), r.GetEnterprise())
	case *schema.CleaningPlan:
		e.named(subject, r.GetId(), r.GetEnterprise())
	case *schema.SpotCheckAnswer:
		s := e.received[r.GetSpotCheck()]
		if s == nil {
			s = e.issued[r.GetSpotCheck()].GetCheck()
		}
		if s == nil || !awaits(s) || s.GetEnterprise() != r.GetEnterprise() {
			e.refuse(subject, "spot_check", "reference", r.GetSpotCheck(), "a spot check of this enterprise that waits for an answer")
		}
	case *schema.SpotCheck:
		if r.GetStage() != checkIssued || r.GetIssuerSite() != e.cfg.Site || e.issued[r.GetId()] != nil {
			e.refuse(subject, "stage", "life_cycle", r.GetStage(), "a new spot check, issued by this site")
		}
	case *schema.RiskModel:
		e.publishable(subject, r)
	case *schema.CodeTable:
		e.checkTable(subject, r)
	}
}

// named refuses an id that does not begin with its enterprise: ids of one plant cannot reach another's records.
func (e *Engine) named(subject, id, enterprise string) {
	if !strings.HasPrefix(id, enterprise) {
		e.refuse(subject, "id", "prefix", id, "begins with "+enterprise)
	}
}

// keep takes a checked record into what the engine knows, and writes it.
func (e *Engine) keep(rec schema.Record, to string) {
	code := enterpriseOf(rec)
	p := e.plants[code]
	key := schema.TypeOf(rec) + "/" + schema.KeyOf(rec)
	switch r := rec.(type) {
	case *schema.Enterprise:
		if p == nil {
			p = &plant{code: r.GetCode()}
			e.plants[r.GetCode()] = p
			e.codes = insert(e.codes, r.GetCode(), func(s string) string { return s })
		}
		p.enterprise = r
	case *schema.Workshop:
		p.workshops = insert(p.workshops, r, codeOfWorkshop)
	case *schema.DustSystem:
		p.systems = insert(p.systems, r, codeOfSystem)
	case *schema.Collector:
		p.collectors = insert(p.collectors, r, codeOfCollector)
		e.rewire(p)
	case *schema.Camera:
		p.cameras = insert(p.cameras, r, codeOfCamera)
	case *schema.Gateway:
		e.keepGateway(p, r)
	case *schema.Metric:
		rec = e.keepMetric(p, r)
	case *schema.CleaningPlan:
		e.keepPlan(p, r)
	case *schema.Shelf:
		rec = e.keepShelf(p, r)
	case *schema.CombinedRule:
		e.audit("rule", key, "changed", ruleText(p.combinedRule(r.GetId())), ruleText(r))
		e.keepCombined(p, r)
	default:
		e.keepOther(rec, to)
		e.out.Keys = append(e.out.Keys, schema.KeyOf(rec))
		return
	}
	e.keys[key] = code
	if p != nil {
		e.changed(p)
	}
	e.out.Keys = append(e.out.Keys, schema.KeyOf(rec))
	e.writeTo(rec, to)
	if _, ok := rec.(*schema.Shelf); ok {
		e.reshelve(p)
	}
}

// keepOther takes what is no base data.
func (e *Engine) keepOther(rec schema.Record, to string) {
	switch r := rec.(type) {
	case *schema.User:
		e.users[r.GetLogin()] = true
	case *schema.CleaningRecord:
		e.cleaned(e.plants[r.GetEnterprise()], r)
	case *schema.SpotCheck:
		e.issued[r.GetId()] = &schema.IssuedCheck{Check: r, To: to}
	case *schema.RiskModel, *schema.CodeTable:
		if to == "" {
			to = "*"
		}
		if m, ok := rec.(*schema.RiskModel); ok {
			e.publish(m, to)
		}
		if t, ok := rec.(*schema.CodeTable); ok {
			e.tabled(t)
		}
	}
	e.writeTo(rec, to)
	if r, ok := rec.(*schema.SpotCheckAnswer); ok {
		delete(e.received, r.GetSpotCheck())
		e.answered(r)
	}
}

func (e *Engine) keepGateway(p *plant, r *schema.Gateway) {
	if g := p.gateway(r.GetCode()); g != nil {
		g.st.Gateway = r
		if r.GetDisabled() {
			for _, rule := range []string{noData, sourceLost} {
				e.over(p, &schema.Alarm{Gateway: g.code(), Rule: rule})
			}
		}
		return
	}
	p.gateways = insert(p.gateways, &gateway{st: &schema.GatewayWatch{Gateway: r}, plant: p}, codeOfGateway)
}

// keepMetric gives a new metric the number of its series; the number never changes.
func (e *Engine) keepMetric(p *plant, r *schema.Metric) schema.Record {
	r = clone(r)
	var x *point
	for _, old := range p.points {
		if codeOfPoint(old) == r.GetCode() {
			x = old
		}
	}
	if x == nil {
		e.st.Series++
		x = &point{st: &schema.PointState{}, plant: p}
		r.Series = e.st.GetSeries()
		e.place(x, r.GetSeries())
		if r.GetLimits() == nil {
			r.Limits, _ = p.defaults(r)
		}
	} else {
		r.Series = x.st.GetMetric().GetSeries()
	}
	e.auditLimits(x.st.GetMetric(), r)
	x.st.Metric = r
	p.points = insert(p.points, x, codeOfPoint)
	e.rewire(p)
	return r
}

func (e *Engine) place(x *point, series uint32) {
	for int(series) >= len(e.series) {
		e.series = append(e.series, nil)
	}
	e.series[series] = x
}

// rewire works out anew what is derived of a plant's metrics.
func (e *Engine) rewire(p *plant) {
	for _, x := range p.points {
		e.configure(x)
	}
	p.wire()
	p.attach()
	p.mark()
	for _, x := range p.points {
		e.settle(x)
	}
}

// children are the types that name a type by reference, within one plant.
func (p *plant) children(typ, key string) string {
	for _, c := range p.collectors {
		if typ == "DustSystem" && c.GetSystem() == key {
			return "Collector/" + c.GetCode()
		}
	}
	for _, s := range p.systems {
		if typ == "Workshop" && s.GetWorkshop() == key {
			return "DustSystem/" + s.GetCode()
		}
	}
	for _, x := range p.points {
		m := x.st.GetMetric()
		if typ == "Collector" && m.GetCollector() == key || typ == "Gateway" && m.GetGateway() == key {
			return "Metric/" + m.GetCode()
		}
	}
	if typ == "Enterprise" && len(p.workshops)+len(p.systems)+len(p.collectors)+len(p.gateways)+len(p.points)+len(p.plans)+len(p.cameras)+len(p.combined)+len(p.shelves) > 0 {
		return "its base data"
	}
	return ""
}

// deletable are the types that may be deleted. A metric is disabled instead: its readings stay.
var deletable = map[string]bool{
	"Enterprise": true, "Workshop": true, "DustSystem": true, "Collector": true, "Gateway": true, "Camera": true, "CleaningPlan": true,
	"User": true, "Session": true, "Credential": true, "CombinedRule": true, "Org": true, "ApiKey": true, "Channel": true, "Delivery": true,
	"SavedSearch": true,
}

func (e *Engine) checkDelete(c *schema.Change) {
	key := c.GetType() + "/" + c.GetKey()
	if !deletable[c.GetType()] {
		e.refuse(key, "", "not_deletable", c.GetType(), "a type that may be deleted; metrics are disabled instead")
		return
	}
	if c.GetType() == "CombinedRule" && !MayRelax(e.role) {
		e.refuse(key, "", "relax", "deleted", "a regulator")
	}
	p := e.plants[e.keys[key]]
	if p == nil {
		if c.GetType() == "CombinedRule" || schemaGroup(c.GetType()) == schema.Group_GROUP_ENTERPRISE {
			e.refuse(key, "", "missing", c.GetKey(), "an existing record")
		}
		return
	}
	if child := p.children(c.GetType(), c.GetKey()); child != "" {
		e.refuse(key, "", "in_use", child, "nothing that names it")
	}
}

func schemaGroup(typ string) schema.Group {
	if m, ok := schema.MetaOf(typ); ok {
		return m.Group
	}
	return schema.Group_GROUP_UNSPECIFIED
}

func (e *Engine) delete(typ, key string) {
	if p := e.plants[e.keys[typ+"/"+key]]; p != nil {
		switch typ {
		case "Enterprise":
			delete(e.plants, key)
			e.codes = remove(e.codes, key, func(s string) string { return s })
		case "Workshop":
			p.workshops = remove(p.workshops, key, codeOfWorkshop)
		case "DustSystem":
			p.systems = remove(p.systems, key, codeOfSystem)
		case "Collector":
			p.collectors = remove(p.collectors, key, codeOfCollector)
		case "Gateway":
			p.gateways = remove(p.gateways, key, codeOfGateway)
		case "Camera":
			p.cameras = remove(p.cameras, key, codeOfCamera)
		case "CleaningPlan":
			p.plans = remove(p.plans, key, codeOfPlan)
		case "CombinedRule":
			e.audit("rule", typ+"/"+key, "deleted", ruleText(p.combinedRule(key)), "")
			for _, c := range p.combined {
				if codeOfCombined(c) == key {
					e.dropCombined(p, c)
					break
				}
			}
		}
		if typ != "Enterprise" {
			e.changed(p)
		}
		delete(e.keys, typ+"/"+key)
	}
	if typ == "User" {
		delete(e.users, key)
	}
	e.out.Keys = append(e.out.Keys, key)
	e.out.Changes = append(e.out.Changes, Change{Type: typ, Key: key, Deleted: true})
}

// String names a change in tests and logs.
func (c Change) String() string { return fmt.Sprintf("%s/%s deleted=%t", c.Type, c.Key, c.Deleted) }

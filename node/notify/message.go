package notify

import (
	"fmt"
	"strings"
	"time"

	"dusthub/node/config"
	"dusthub/schema"
)

// message is what a person reads, and what lets a receiver tell that it has it already.
type message struct {
	ID         string `json:"id"` // of the delivery; the same for every attempt
	Subject    string `json:"subject"`
	Enterprise string `json:"enterprise,omitempty"`
	Template   string `json:"template"`
	Priority   string `json:"priority,omitempty"`
	Title      string `json:"title"`
	Text       string `json:"text"`
	At         int64  `json:"at"`
	URL        string `json:"url,omitempty"`
}

func messageOf(d *schema.Delivery, cfg config.Notify) message {
	return message{
		ID: d.GetId(), Subject: d.GetSubject(), Enterprise: d.GetEnterprise(), Template: d.GetTemplate(), Priority: d.GetPriority(), Title: d.GetTitle(), Text: d.GetText(),
		At: d.GetAt(), URL: cfg.URL,
	}
}

func testMessage(id string, cfg config.Notify, now time.Time) message {
	m := message{ID: id, Subject: "Test", Template: "test", Priority: schema.Low, At: now.UnixMilli(), URL: cfg.URL, Title: "通知渠道测试", Text: "收到本消息,说明该通知渠道可用。"}
	if cfg.Language == english {
		m.Title, m.Text = "Test of a notification channel", "You receive this: the channel works."
	}
	return m
}

const english = "en"

// heads are the words each template begins with: Chinese, English.
var heads = map[string][2]string{
	"alarm_raised": {"报警", "Alarm"}, "alarm_reminder": {"报警提醒", "Reminder of alarm"}, "alarm_escalation": {"报警升级", "Escalated alarm"},
	"warning_raised": {"风险预警", "Risk warning"}, "warning_reminder": {"风险预警提醒", "Reminder of risk warning"},
}

// words are title and text of a call, in the site's language.
func (n *Notifier) words(c call) (title, text string) {
	zh := n.cfg.Language != english
	name, head := n.nameOf("Enterprise", c.enterprise), heads[c.template][0]
	if !zh {
		head = heads[c.template][1]
	}
	switch r := c.rec.(type) {
	case *schema.Alarm:
		return n.alarmWords(c, r, head, name, zh)
	case *schema.Warning:
		if zh {
			return clip(fmt.Sprintf("【%s】%s 风险等级升为%s", head, name, colour(r.GetToLevel(), zh)), longestTitle),
				clip(fmt.Sprintf("企业:%s\n风险等级:%s → %s\n研判指数:%.1f\n反馈期限:%s", name, colour(r.GetFromLevel(), zh), colour(r.GetToLevel(), zh), float64(r.GetIndexMilli())/1000, clock(r.GetDue(), zh)), longestText)
		}
		return clip(fmt.Sprintf("[%s] %s: risk level %s", head, name, r.GetToLevel()), longestTitle),
			clip(fmt.Sprintf("Enterprise: %s\nRisk level: %s -> %s\nIndex: %.1f\nFeedback due: %s", name, r.GetFromLevel(), r.GetToLevel(), float64(r.GetIndexMilli())/1000, clock(r.GetDue(), zh)), longestText)
	}
	return head, ""
}

func (n *Notifier) alarmWords(c call, a *schema.Alarm, head, name string, zh bool) (title, text string) {
	what := a.GetText()
	for _, of := range [][2]string{{"Metric", a.GetMetric()}, {"Gateway", a.GetGateway()}, {"Collector", a.GetCollector()}} {
		if what == "" && of[1] != "" {
			what = n.nameOf(of[0], of[1])
		}
	}
	rule, priority := schema.CodeName("alarm_rule", a.GetRule()), schema.CodeName("alarm_priority", c.priority)
	if !zh {
		rule, priority = a.GetRule(), c.priority
	}
	value := ""
	if a.GetMetric() != "" {
		value = strings.TrimSpace(fmt.Sprintf("%.4g %s", a.GetValue(), a.GetUnit()))
	}
	if zh {
		return clip(fmt.Sprintf("【%s·%s】%s %s %s", head, priority, name, what, rule), longestTitle),
			clip(fmt.Sprintf("企业:%s\n对象:%s\n报警:%s %s\n优先级:%s\n发生时间:%s\n办理期限:%s", name, what, rule, value, priority, clock(a.GetOnset(), zh), clock(a.GetStageDue(), zh)), longestText)
	}
	return clip(fmt.Sprintf("[%s, %s] %s %s %s", head, priority, name, what, rule), longestTitle),
		clip(fmt.Sprintf("Enterprise: %s\nObject: %s\nAlarm: %s %s\nPriority: %s\nSince: %s\nDue: %s", name, what, rule, value, priority, clock(a.GetOnset(), zh), clock(a.GetStageDue(), zh)), longestText)
}

const (
	longestTitle = 200
	longestText  = 1000
)

func clip(s string, most int) string {
	r := []rune(s)
	return string(r[:min(len(r), most)])
}

func colour(level string, zh bool) string {
	if name, ok := map[string]string{"red": "红色", "orange": "橙色", "yellow": "黄色", "blue": "蓝色"}[level]; ok && zh {
		return name
	}
	return level
}

func clock(ms int64, zh bool) string {
	switch {
	case ms == 0 && zh:
		return "无"
	case ms == 0:
		return "none"
	}
	return time.UnixMilli(ms).In(beijing).Format("2006-01-02 15:04:05")
}

// nameOf is the name of a record, its key when it has none.
func (n *Notifier) nameOf(typ, key string) string {
	row, ok, err := n.opt.Site.Store().Get(typ, key)
	if r, named := row.Record.(interface{ GetName() string }); err == nil && ok && named && r.GetName() != "" {
		return r.GetName()
	}
	return key
}

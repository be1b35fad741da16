package portal

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"

	"dusthub/portal/sheet"
	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
)

// foundTitles are the columns of what a search found.
var foundTitles = []string{
	"企业编码", "企业名称", "行政区域", "行业", "涉粉人数", "粉尘种类", "风险等级", "研判指数", "在线状态", "未核销报警", "未关闭预警", "除尘器数",
}

// foundRow is a plant as a row of them.
func foundRow(v *EnterpriseView) []any {
	state := "离线"
	if v.Online {
		state = "在线"
	}
	level := "未研判"
	if v.Level != "" {
		level = schema.CodeName("level", v.Level)
	}
	return []any{
		v.Enterprise.GetCode(), v.Enterprise.GetName(), v.RegionName, v.IndustryName, v.Enterprise.GetDustWorkers(), strings.Join(v.DustNames, "、"), level,
		float64(v.IndexMilli) / 1000, state, v.AlarmsOpen, v.WarningsOpen, v.Collectors,
	}
}

// exportEnterprises writes all that a search finds into a workbook, gravest first (F2.4).
func (s *Server) exportEnterprises(ctx context.Context, v *viewer, in *enterprisesInput) (*huma.StreamResponse, error) {
	var rows [][]any
	in.After = ""
	s.world.view(func() {
		list, _, _ := s.world.search(in, v.area(), mostExported+1)
		for _, p := range list {
			rows = append(rows, foundRow(s.world.enterpriseView(p)))
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("export enterprises: %w", err)
	}
	if len(rows) > mostExported {
		return nil, problem(http.StatusUnprocessableEntity, codeRefused, "more than %d enterprises: narrow the search", mostExported)
	}
	return s.workbook("enterprises", func(b *bytes.Buffer) error { return sheet.Table(b, "抽查查询结果", foundTitles, rows) })
}

package portal

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"dusthub/node/report"
	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/compress"
	recoverer "github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/valyala/fasthttp"
)

// door is one listener's application.
type door struct {
	s      *Server
	portal Portal
	idp    *relying // nil: people log in with their passwords alone
	app    *fiber.App
	api    huma.API

	permissions string // header
}

// open builds a portal's application.
func (s *Server) open(p Portal) (*door, error) {
	d := &door{s: s, portal: p, permissions: permissions(p)}
	if provider, ok := s.opt.Providers[p]; ok {
		var err error
		if d.idp, err = newRelying(provider, s.opt.Now); err != nil {
			return nil, err
		}
	}
	d.app = fiber.New(fiber.Config{
		AppName: "dusthub " + string(p), DisableStartupMessage: true, Immutable: true, UnescapePath: true, DisablePreParseMultipartForm: true, ErrorHandler: d.lastResort,
		BodyLimit: maxAttachment + maxHeader, Concurrency: maxConnections, ReadBufferSize: maxHeader, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
	})
	d.app.Server().HeaderReceived = d.limitBody
	d.app.Server().KeepHijackedConns = true // an event stream closes its own
	d.app.Use(recoverer.New(), d.measure, d.secure, d.deadline, compress.New(compress.Config{Level: compress.LevelBestSpeed, Next: uncompressed}))
	d.api = humafiber.New(d.app, s.apiConfig(p))
	d.routes()
	delete(d.api.OpenAPI().Components.Schemas.Map(), "ErrorModel") // the library's; ours is Problem
	describe(d.api.OpenAPI())
	d.app.Get("/api/docs", d.docs)
	files, err := loadAssets(s.opt.Assets)
	if err != nil {
		return nil, err
	}
	d.app.Use(files.handler(p))
	return d, nil
}

// uncompressed are the answers that are sent as they are: streams, files, the session with its token (a secret beside what
// an attacker chooses must not be compressed), and the front end, which is compressed once.
func uncompressed(c *fiber.Ctx) bool {
	p := c.Path()
	return !strings.HasPrefix(p, "/api/v1/") || strings.HasPrefix(p, "/api/v1/events") || strings.HasPrefix(p, "/api/v1/attachments") || strings.HasPrefix(p, "/api/v1/session") || p == "/api/v1/model/back-test"
}

// limitBody refuses large bodies before they are read, but those of a route that takes files from whoever has a session or a key: who has none
// would have a listener's every connection hold ten megabytes.
func (d *door) limitBody(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	path, _, _ := strings.Cut(string(h.RequestURI()), "?")
	takesFiles := slices.ContainsFunc(accesses, func(a Access) bool { return a.body > maxBody && a.Method == string(h.Method()) && a.Path == path })
	if takesFiles && d.knows(h) {
		return fasthttp.RequestConfig{}
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: maxBody}
}

// knows says whether a request comes with a session or a key. What they open is judged later.
func (d *door) knows(h *fasthttp.RequestHeader) bool {
	if token := bearer(string(h.Peek(fiber.HeaderAuthorization))); token != "" {
		key, err := d.s.keyOf(token)
		return err == nil && key != nil
	}
	return d.s.identify(&viewer{portal: d.portal}, string(h.Cookie(d.cookieName()))) == nil
}

func (s *Server) apiConfig(p Portal) huma.Config {
	asJSON := huma.DefaultJSONFormat
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "dusthub, " + string(p) + " portal", Version: schema.Version,
				Description: "Records have the fields of the data dictionary; fields that are zero are left out; times are milliseconds since 1970. " +
					"Mutations need the header X-CSRF-Token with the value the session gives; a machine that comes with a key needs none.",
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}, Contact: &huma.Contact{Name: "dusthub"},
			},
			Tags: tagsOf(p), Servers: []*huma.Server{{URL: "/"}},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", nameOfType),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"session": {Type: "apiKey", In: "cookie", Name: cookiePrefix}, "key": {Type: "http", Scheme: "bearer", Description: "A key of the account page, which opens the routes it names"},
				},
			},
		},
		OpenAPIPath: "/openapi", Formats: map[string]huma.Format{"application/json": asJSON, "json": asJSON}, DefaultFormat: "application/json",
		Transformers: []huma.Transformer{asProblem, s.veiled},
	}
}

// tagsOf are the groups of a portal's routes, in the order of the table of accesses.
func tagsOf(p Portal) []*huma.Tag {
	var out []*huma.Tag
	for _, a := range accesses {
		if slices.Contains(a.Portals, p) && !slices.ContainsFunc(out, func(t *huma.Tag) bool { return t.Name == a.Tag }) {
			out = append(out, &huma.Tag{Name: a.Tag})
		}
	}
	return out
}

// nameOfType names a type in the description; a record keeps its own name, and one of ours that is called the same is
// named after the portal.
func nameOfType(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if _, record := schema.MetaOf(name); record && t.PkgPath() == reflect.TypeFor[Server]().PkgPath() {
		return "Portal" + name
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() == reflect.TypeFor[report.Figures]().PkgPath() { // names of its own, such as Day and Part
		return "Report" + name
	}
	return name
}

// measure counts and times requests by route.
func (d *door) measure(c *fiber.Ctx) error {
	start := time.Now()
	err := c.Next()
	status := c.Response().StatusCode()
	var fe *fiber.Error
	switch {
	case errors.As(err, &fe):
		status = fe.Code
	case err != nil:
		status = http.StatusInternalServerError
	}
	route := c.Route().Path
	if !strings.HasPrefix(route, "/api/") && route != "/openapi.json" {
		route = "static"
	}
	d.s.metrics.requests.WithLabelValues(string(d.portal), route, strconv.Itoa(status)).Inc()
	d.s.metrics.seconds.WithLabelValues(string(d.portal), route).Observe(time.Since(start).Seconds())
	return err
}

// deadline bounds how long a handler may take, and ends a reading whose browser has gone. Streams go on without it.
func (d *door) deadline(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(context.Background(), d.s.patience)
	defer cancel()
	if c.Method() == http.MethodGet {
		defer hungUp(c.Context().Conn(), cancel)()
	}
	c.SetUserContext(ctx)
	return c.Next()
}

type viewerKey struct{}

// guard lets a request through to a route's handler when its access says so.
func (d *door) guard(a Access) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		v, err := d.admit(ctx, a)
		if err != nil {
			d.refuse(ctx, d.s.explain(ctx.Context(), a.ID, err))
		} else {
			next(huma.WithValue(ctx, viewerKey{}, v))
		}
		if v != nil && v.user != nil {
			d.s.witness(ctx.Context(), v, a, string(humafiber.Unwrap(ctx).Request().URI().Path()), ctx.Status())
		}
	}
}

// admit finds out who asks and whether the access is theirs. Without a session the viewer has no user.
func (d *door) admit(ctx huma.Context, a Access) (*viewer, error) {
	c := humafiber.Unwrap(ctx)
	v := &viewer{portal: d.portal, address: d.s.addressOf(c), agent: c.Get("User-Agent"), flow: c.Cookies(d.flowName())}
	changes := a.Method != http.MethodGet
	if changes && c.Get("Sec-Fetch-Site") == "cross-site" {
		return nil, problem(http.StatusForbidden, codeCSRF, "a change cannot be asked for from another site")
	}
	if changes && c.Get(fiber.HeaderContentType) == "" && c.Request().Header.ContentLength() != 0 {
		// A page of another site can send a body without a type, and none of JSON.
		return nil, problem(http.StatusUnsupportedMediaType, "media_type", "say in Content-Type what the body is")
	}
	if a.Roles == nil {
		return v, nil
	}
	if key := bearer(c.Get(fiber.HeaderAuthorization)); key != "" {
		if err := d.s.unlock(ctx.Context(), v, a, key); err != nil {
			return v, err
		}
	} else if err := d.s.identify(v, c.Cookies(d.cookieName())); err != nil {
		return nil, err
	}
	if changes && v.key == nil && !sameSecret(c.Get(csrfHeader), csrfOf(v.token)) {
		return v, problem(http.StatusForbidden, codeCSRF, "the header %s is missing or not this session's", csrfHeader)
	}
	if !slices.Contains(a.Roles, v.user.GetRole()) {
		return v, problem(http.StatusForbidden, codeForbidden, "this is not open to the role %s", v.user.GetRole())
	}
	if v.key == nil {
		if err := d.s.due(v); err != nil && !a.account {
			return v, err
		}
		d.s.touch(ctx.Context(), v)
	}
	if a.scope != nil {
		return v, a.scope(d.s, v, ctx.Param)
	}
	return v, nil
}

// refuse writes a problem outside a handler.
func (d *door) refuse(ctx huma.Context, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		p = problem(http.StatusInternalServerError, codeInternal, "the request failed")
	}
	for k, list := range p.GetHeaders() {
		ctx.SetHeader(k, list[0])
	}
	ctx.SetHeader("Content-Type", p.ContentType(""))
	ctx.SetStatus(p.Status)
	if err := json.NewEncoder(ctx.BodyWriter()).Encode(p); err != nil {
		d.s.log.Warn("write problem", "err", err)
	}
}

// answer wraps a body.
type answer[T any] struct{ Body T }

// handle registers a route's handler under its access, on the portals the access names.
func handle[I, O any](d *door, id string, h func(ctx context.Context, v *viewer, in *I) (O, error)) {
	handleRaw(d, id, func(ctx context.Context, v *viewer, in *I) (*answer[O], error) {
		out, err := h(ctx, v, in)
		if err != nil {
			return nil, err
		}
		return &answer[O]{neverNull(out)}, nil
	})
}

// neverNull makes an answer that is a list and holds nothing an empty one.
func neverNull[O any](out O) O {
	if v := reflect.ValueOf(&out).Elem(); v.Kind() == reflect.Slice && v.IsNil() {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	}
	return out
}

// handleRaw registers a handler that makes the whole response.
func handleRaw[I, O any](d *door, id string, h func(ctx context.Context, v *viewer, in *I) (*O, error)) {
	a := accessOf(id)
	if !slices.Contains(a.Portals, d.portal) {
		return
	}
	op := huma.Operation{
		OperationID: a.ID, Method: a.Method, Path: a.Path, Summary: a.Summary, Tags: []string{a.Tag}, MaxBodyBytes: maxBody,
		Middlewares: huma.Middlewares{d.guard(a)},
		Responses: map[string]*huma.Response{"default": {Description: "A problem", Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: d.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")},
		}}},
	}
	if a.status > 0 {
		op.DefaultStatus = a.status
	}
	if a.body > 0 {
		op.MaxBodyBytes = a.body
	}
	op.Description = "Roles: anybody, without a session."
	if a.Roles != nil {
		op.Security = []map[string][]string{{"session": {}}}
		if a.forMachines() {
			op.Security = append(op.Security, map[string][]string{"key": {}})
		}
		op.Description = "Roles: " + strings.Join(slices.DeleteFunc(slices.Clone(a.Roles), func(r string) bool { return !slices.Contains(rolesOf[d.portal], r) }), ", ") + "."
	}
	huma.Register(d.api, op, func(ctx context.Context, in *I) (*O, error) {
		v, _ := ctx.Value(viewerKey{}).(*viewer)
		out, err := h(ctx, v, in)
		if err != nil {
			return nil, d.s.explain(ctx, id, err)
		}
		return out, nil
	})
}

// none is the input, or the answer, of a route that has none.
type none struct{}

// routes registers every route.
func (d *door) routes() {
	d.sessionRoutes()
	d.ssoRoutes()
	d.searchRoutes()
	d.plantRoutes()
	d.statisticRoutes()
	d.analysisRoutes()
	d.reportRoutes()
	d.alarmRoutes()
	d.shelfRoutes()
	d.ruleRoutes()
	d.channelRoutes()
	d.limitRoutes()
	d.spotCheckRoutes()
	d.cleaningRoutes()
	d.attachmentRoutes()
	d.federationRoutes()
	d.ledgerRoutes()
	d.recordRoutes()
	d.workbookRoutes()
	d.baseRoutes()
	d.adminRoutes()
	d.auditRoutes()
	d.privacyRoutes()
	d.keyRoutes()
	d.schemaRoutes()
	d.modelRoutes()
	d.serviceRoutes()
	d.replayRoutes()
	d.hazardRoutes()
	d.eventRoutes()
}

package portal

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"image"
	_ "image/jpeg" // DecodeConfig knows the formats that are imported
	_ "image/png"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode"

	"dusthub/crypto/sm"
	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
)

const (
	maxAttachment = 10 << 20
	pieceBytes    = 256 << 10
	maxPixels     = 100_000_000
	maxFileName   = 60 // characters; the record's name field holds 200 bytes
)

// sniff is the type a file's content begins as; empty when it is none that is kept. What a file says of itself decides, never
// its name or the header it came with.
func sniff(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png"
	case len(b) >= 16 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP" && (string(b[12:15]) == "VP8"):
		return "image/webp"
	case bytes.HasPrefix(b, []byte("%PDF-1.")), bytes.HasPrefix(b, []byte("%PDF-2.")):
		return "application/pdf"
	}
	return ""
}

// inspect checks that a file is what its media type says, and gives what of it is kept.
func inspect(b []byte, claimed string) ([]byte, string, error) {
	mediaType, _, err := mime.ParseMediaType(claimed)
	got := sniff(b)
	if err != nil || got == "" || got != mediaType {
		p := invalid("body", "a JPEG, PNG or WebP image or a PDF document that is what its Content-Type says", nil)
		p.Status, p.Title, p.Code = http.StatusUnsupportedMediaType, http.StatusText(http.StatusUnsupportedMediaType), "media_type"
		return nil, "", p
	}
	if got == "image/jpeg" || got == "image/png" {
		c, _, err := image.DecodeConfig(bytes.NewReader(b))
		if err != nil || c.Width <= 0 || c.Height <= 0 || c.Width > maxPixels/c.Height {
			return nil, "", invalid("body", "a readable image of at most 100 million pixels", nil)
		}
	}
	if got == "application/pdf" && !deadDocument(b) {
		return nil, "", invalid("body", "a whole PDF document without scripts, forms that are sent, and files within it: print it to a PDF anew", nil)
	}
	if end := pictureEnds[got]; end != nil {
		n := end(b)
		if n == 0 {
			return nil, "", invalid("body", "a whole image", nil)
		}
		b = b[:n]
	}
	return b, got, nil
}

// fileName keeps the last part of a name, without what could end a header or hide the rest.
func fileName(raw string) string {
	if u, err := url.PathUnescape(raw); err == nil {
		raw = u
	}
	raw = path.Base(strings.ReplaceAll(strings.ToValidUTF8(raw, ""), `\`, "/"))
	out := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`"/<>|:*?`, r) {
			return -1
		}
		return r
	}, raw)
	if strings.Trim(out, ". ") == "" {
		return "file"
	}
	if r := []rune(out); len(r) > maxFileName {
		out = string(r[len(r)-maxFileName:])
	}
	return out
}

type uploadInput struct {
	ContentType string `header:"Content-Type" required:"true"`
	FileName    string `header:"X-File-Name" maxLength:"1000" doc:"percent-encoded when it is not ASCII"`
	Enterprise  string `query:"enterprise" doc:"regulators: the plant the file is about"`
	RawBody     []byte `contentType:"application/octet-stream"`
}

// upload keeps a file: its content goes through the site's log in pieces, then the record that names it.
func (s *Server) upload(ctx context.Context, v *viewer, in *uploadInput) (*schema.Attachment, error) {
	if len(in.RawBody) > maxAttachment {
		return nil, problem(http.StatusRequestEntityTooLarge, codeRefused, "a file has at most %d bytes", maxAttachment)
	}
	content, mediaType, err := inspect(in.RawBody, in.ContentType)
	if err != nil {
		return nil, err
	}
	enterprise := only(v, in.Enterprise)
	if enterprise != "" {
		if _, err = s.enterpriseRow(v, enterprise); err != nil {
			return nil, err
		}
	}
	digest := sm.SM3(content)
	a := &schema.Attachment{
		Id: hex.EncodeToString(digest[:]), Enterprise: enterprise, Name: fileName(in.FileName), MediaType: mediaType, Size: int64(len(content)),
		Time: s.nowMs(), Actor: v.user.GetLogin(),
	}
	row, ok, err := s.opt.Backend.Store().Get("Attachment", a.GetId())
	if err != nil {
		return nil, fmt.Errorf("read attachment: %w", err)
	}
	if ok {
		old := row.Record.(*schema.Attachment)
		if old.GetEnterprise() == enterprise {
			return old, nil
		}
		return nil, problem(http.StatusConflict, codeExists, "the very same file was handed in before for somebody else")
	}
	if err = s.keepContent(ctx, v, a.GetId(), content); err != nil {
		return nil, err
	}
	_, err = s.put(ctx, v.user, s.created(a))
	return a, err
}

func (s *Server) keepContent(ctx context.Context, v *viewer, id string, content []byte) error {
	for i := 0; i*pieceBytes < len(content); i++ {
		end := min(len(content), (i+1)*pieceBytes)
		blob := &schema.Blob{Id: id, Piece: uint32(i), Data: bytes.Clone(content[i*pieceBytes : end]), Last: end == len(content)}
		if _, err := s.propose(ctx, &schema.Command{Actor: v.user.GetLogin(), Body: &schema.Command_Blob{Blob: blob}}); err != nil {
			return err
		}
	}
	return nil
}

// haveAttachments checks that files named in a request are there and the viewer's to name.
func (s *Server) haveAttachments(v *viewer, ids []string) error {
	for i, id := range ids {
		if _, err := s.record(v, "Attachment", id); err != nil {
			return invalid("body.attachments["+strconv.Itoa(i)+"]", "the id of a file that was handed in", id)
		}
	}
	return nil
}

// download streams a file. A browser shows it as what it is or saves it; it never runs it.
func (s *Server) download(_ context.Context, v *viewer, in *idInput) (*huma.StreamResponse, error) {
	row, err := s.record(v, "Attachment", in.ID)
	if err != nil {
		return nil, err
	}
	here, err := s.opt.Backend.Store().HasBlob(in.ID)
	if err != nil {
		return nil, fmt.Errorf("read attachment: %w", err)
	}
	if !here {
		return nil, problem(http.StatusNotFound, "content_not_here", "the content of %s has not arrived from %s yet", in.ID, row.Origin)
	}
	a := row.Record.(*schema.Attachment)
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", a.GetMediaType())
		ctx.SetHeader("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(fileName(a.GetName())))
		ctx.SetHeader("Cache-Control", "private, max-age=31536000, immutable")
		w := ctx.BodyWriter()
		_, err := s.opt.Backend.Store().Blob(in.ID, func(_ uint32, data []byte, _ bool) error {
			if _, err := w.Write(data); err != nil {
				return fmt.Errorf("send attachment: %w", err)
			}
			return nil
		})
		if err != nil {
			s.log.Warn("attachment was not sent whole", "id", in.ID, "err", err)
		}
	}}, nil
}

func (d *door) attachmentRoutes() {
	handle(d, "attachment-upload", d.s.upload)
	handleRaw(d, "attachment", d.s.download)
}

package portal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

// A reading ends when its browser has gone, a change does not: it may be under way already.
func TestHungUp(t *testing.T) {
	d := &door{s: &Server{patience: requestTimeout}}
	for _, c := range []struct {
		name, method, more string
		leaves             bool
		want               error
	}{
		{"a reading whose browser leaves", http.MethodGet, "", true, context.Canceled},
		{"a reading whose browser waits", http.MethodGet, "", false, nil},
		{"a reading with another request behind it", http.MethodGet, "GET / HTTP/1.1\r\n", false, nil},
		{"a change whose browser leaves", http.MethodPost, "", true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			begun, ended := make(chan struct{}), make(chan error, 1)
			app := fiber.New(fiber.Config{DisableStartupMessage: true})
			app.All("/slow", d.deadline, func(c *fiber.Ctx) error {
				close(begun)
				select {
				case <-c.UserContext().Done():
				case <-time.After(4 * hungUpEvery):
				}
				ended <- c.UserContext().Err()
				return nil
			})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = app.Listener(l) }()
			defer app.Shutdown() // the test is over
			browser, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer browser.Close()
			if _, err := fmt.Fprintf(browser, "%s /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n%s", c.method, c.more); err != nil {
				t.Fatal(err)
			}
			<-begun
			if c.leaves {
				browser.Close()
			}
			if got := <-ended; !errors.Is(got, c.want) {
				t.Errorf("the handler's context ended with %v, want %v", got, c.want)
			}
		})
	}
}

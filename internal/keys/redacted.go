// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// redacted stands wherever a program tries to print a secret.
const redacted = "[redacted]"

// Redacted is embedded by types that hold a secret: every way of printing them
// gives "[redacted]" or, where fmt may not ask, what their fields print as. So
// the secret itself stands behind a function, which prints as an address.
type Redacted struct{}

// String returns "[redacted]".
func (Redacted) String() string { return redacted }

// GoString returns "[redacted]".
func (Redacted) GoString() string { return redacted }

// Format writes "[redacted]" for every verb and flag.
func (Redacted) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (Redacted) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns the JSON string "[redacted]".
func (Redacted) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// SPDX-License-Identifier: Apache-2.0

package api

import "fmt"

// Numeric codes (RPC-11). The first four are JSON-RPC's own.
const (
	CodeParse          = -32700
	CodeInvalidRequest = -32600
	CodeNoMethod       = -32601
	CodeInvalidParams  = -32602

	CodeInternal      = -32000
	CodeUnauthorized  = -32001
	CodeForbidden     = -32002
	CodeNotFound      = -32003
	CodePruned        = -32004
	CodeLimit         = -32005
	CodeBusy          = -32006
	CodeNotFinal      = -32007
	CodeCursorExpired = -32008
	CodeSlowConsumer  = -32009
	CodeSyncing       = -32010
	CodeLocked        = -32011
	CodeBadParams     = -32012
	CodeLedger        = -32020
	CodeMempoolFull   = -32021
	CodeService       = -32040
)

// ErrorInfo is one row of the table of error codes.
type ErrorInfo struct {
	Number  int    `json:"code"`
	Code    string `json:"name"` // data.code; stable for life
	Meaning string `json:"message"`
}

// Errors returns the table of error codes. Ledger refusals carry LEDGER's string
// and number in data instead of LEDGER_REFUSED.
func Errors() []ErrorInfo {
	return []ErrorInfo{
		{CodeParse, "PARSE_ERROR", "the body is not JSON, or is nested too deeply"},
		{CodeInvalidRequest, "INVALID_REQUEST", "the body is JSON but not a JSON-RPC 2.0 request"},
		{CodeNoMethod, "METHOD_NOT_FOUND", "no method has this name"},
		{CodeInvalidParams, "BAD_PARAMS", "the parameters do not have the method's shape"},
		{CodeInternal, "INTERNAL", "the node failed; its log has the cause under the id in the message"},
		{CodeUnauthorized, "UNAUTHORIZED", "a token is needed"},
		{CodeForbidden, "FORBIDDEN", "the token does not allow this"},
		{CodeNotFound, "NOT_FOUND", "no such object on the ledger, or not yet"},
		{CodePruned, "PRUNED", "this node no longer keeps that height"},
		{CodeLimit, "LIMIT", "too large or too many at once"},
		{CodeBusy, "BUSY", "the node has too much to do; try again"},
		{CodeNotFinal, "NOT_FINAL", "not final in time"},
		{CodeCursorExpired, "CURSOR_EXPIRED", "the listing has to be started again"},
		{CodeSlowConsumer, "SLOW_CONSUMER", "the subscriber did not read in time"},
		{CodeSyncing, "SYNCING", "the node is catching up"},
		{CodeLocked, "LOCKED", "a key must be unlocked first"},
		{CodeBadParams, "BAD_PARAMS", "a parameter has a value that cannot be used"},
		{CodeLedger, "LEDGER_REFUSED", "the ledger's rules refuse the transaction"},
		{CodeMempoolFull, "MEMPOOL_FULL", "the node holds too many waiting transactions"},
		{CodeService, "SERVICE", "a service of this node cannot answer"},
	}
}

// hintParams is the hint of every error about parameters.
const hintParams = "see GET /rpc for the method's parameters and an example"

// ErrorData is the `data` member of every error. Code is stable for life; Hint
// is one sentence that names the fixing command.
type ErrorData struct {
	Code         string `json:"code"`
	Number       int    `json:"number,omitempty"`
	Hint         string `json:"hint"`
	Field        string `json:"field,omitempty"`
	TxID         string `json:"txid,omitempty"`
	RetryAfterMS uint64 `json:"retry_after_ms,omitempty"`
}

// Error is what a Backend returns when a caller can act on it. Any other error
// becomes INTERNAL with a log id, never its text.
type Error struct {
	Code    int
	Message string
	Data    ErrorData
}

// Error implements error: the stable string, then the message.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Data.Code, e.Message) }

// Is compares by the stable string.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Data.Code == e.Data.Code
}

// NotFound reports a missing object.
func NotFound(what string) *Error {
	return &Error{CodeNotFound, what + " not found", ErrorData{Code: "NOT_FOUND", Hint: "check the id, or wait until this node has caught up: openledger status"}}
}

// BadParams reports a parameter that cannot be used.
func BadParams(field, why string) *Error {
	return &Error{CodeBadParams, field + ": " + why, ErrorData{Code: "BAD_PARAMS", Field: field, Hint: hintParams}}
}

// Unauthorized reports a call that needs a token or another permission.
func Unauthorized(p Perm) *Error {
	return &Error{CodeUnauthorized, fmt.Sprintf("permission %q needed", string(p)), ErrorData{Code: "UNAUTHORIZED", Hint: "send the header Authorization: Bearer with the content of rpc.token in the node's home"}}
}

// Limit reports a bound that the caller exceeded.
func Limit(what string, retryMS uint64) *Error {
	return &Error{CodeLimit, what, ErrorData{Code: "LIMIT", Hint: "slow down or send less at once", RetryAfterMS: retryMS}}
}

// Busy reports that the node has no room for the call now.
func Busy(what string, retryMS uint64) *Error {
	return &Error{CodeBusy, what, ErrorData{Code: "BUSY", Hint: "try again in a moment", RetryAfterMS: retryMS}}
}

// NotFinal reports that waiting for finality took too long.
func NotFinal(what string) *Error {
	return &Error{CodeNotFinal, what, ErrorData{Code: "NOT_FINAL", Hint: "ask again with openledger tx get; the network may have lost its quorum: openledger status"}}
}

// Service reports that a service of this node cannot answer.
func Service(code, message, hint string) *Error {
	return &Error{CodeService, message, ErrorData{Code: code, Hint: hint}}
}

// Ledger reports a transaction refused by the ledger's rules.
func Ledger(code string, number int, message, hint string) *Error {
	return &Error{CodeLedger, message, ErrorData{Code: code, Number: number, Hint: hint}}
}

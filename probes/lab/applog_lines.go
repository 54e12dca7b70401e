package lab

import (
	"fmt"
	"strings"
)

// The records that the application is known to write, word for word: readers
// find a failed finalization by these and by nothing else.

// pdfFailed is the record of a PDF that could not be made; cause is the
// exception with its text, "OSError: [Errno 28] …", of which the message has
// the text alone.
func pdfFailed(copyID string, attempt int, cause string, q *request) logRecord {
	_, text, _ := strings.Cut(cause, ": ")
	return logRecord{
		level: "ERROR", logger: "grading.services",
		message: fmt.Sprintf("PDF generation failed for copy %s (attempt %d): %s", copyID, attempt, text),
		exc:     traceback("services.py", 596, "finalize_copy", cause),
		request: q, module: "services", function: "finalize_copy", line: 610,
	}
}

func serviceError(detail string, q *request) logRecord {
	return logRecord{
		level: "WARNING", logger: "grading.views", message: "API Service Error: " + detail,
		request: q, module: "views", function: "_handle_service_error", line: 42,
	}
}

// requestRefused is django.request's own record of a 4xx or 5xx answer; it is
// all that a lock conflict leaves behind.
func requestRefused(status int, method, path string) logRecord {
	level := "WARNING"
	if status >= 500 {
		level = "ERROR"
	}
	return logRecord{
		level: level, logger: "django.request", message: statusWord(status) + ": " + path,
		extra:   []field{{"status_code", status}, {"request", fmt.Sprintf("<WSGIRequest: %s '%s'>", method, path)}},
		request: &request{bare: true}, module: "log", function: "log_response", line: 229,
	}
}

func statusWord(status int) string {
	words := map[int]string{
		400: "Bad Request", 403: "Forbidden", 404: "Not Found", 409: "Conflict",
		500: "Internal Server Error", 504: "Gateway Timeout",
	}
	return words[status]
}

func slowRequest(method, path string, status int, seconds float64, q *request) logRecord {
	return logRecord{
		level: "WARNING", logger: "metrics",
		message: fmt.Sprintf("Slow request: %s %s took %.2fs (status: %d)", method, path, seconds, status),
		extra:   []field{{"status_code", status}, {"duration_ms", float64(int(seconds*1e5)) / 100}},
		request: q, module: "metrics", function: "process_response", line: 118,
	}
}

func finalizeStarted(copyID string) logRecord {
	return logRecord{
		level: "INFO", logger: "grading", message: "Starting async finalization for copy " + copyID,
		module: "tasks", function: "async_finalize_copy", line: 41,
	}
}

func finalizeTaskFailed(copyID, detail, excType string) logRecord {
	return logRecord{
		level: "ERROR", logger: "grading",
		message: fmt.Sprintf("Async finalization failed for copy %s (attempt 1/3): %s", copyID, detail),
		exc:     taskTraceback(52, "async_finalize_copy", excType, detail),
		module:  "tasks", function: "async_finalize_copy", line: 73,
	}
}

func importTaskFailed(subject, detail, excType string) logRecord {
	return logRecord{
		level: "ERROR", logger: "grading",
		message: fmt.Sprintf("Async import failed for %s (attempt 1/3): %s", subject, detail),
		exc:     taskTraceback(118, "async_import_pdf", excType, detail),
		module:  "tasks", function: "async_import_pdf", line: 137,
	}
}

func copyDownloaded(hash, user string, q *request) logRecord {
	return logRecord{
		level: "INFO", logger: "audit", message: "audit",
		extra: []field{
			{"action", "copy.download"}, {"resource", "Copy:" + hash}, {"user", user},
			{"student_id_hash", nil}, {"ip", "127.0.0.1"},
		},
		request: q, module: "audit", function: "log_audit", line: 68,
	}
}

// traceback is a Python traceback of the service; last is its last line, the
// exception with its text.
func traceback(file string, line int, function, last string) string {
	return strings.Join([]string{
		"Traceback (most recent call last):",
		fmt.Sprintf(`  File "/app/grading/%s", line %d, in %s`, file, line, function),
		"    pdf_bytes = flattener.flatten_copy(copy)",
		`  File "/app/processing/services/pdf_flattener.py", line 88, in flatten_copy`,
		"    doc = fitz.open(stream=page_bytes, filetype=\"png\")",
		last,
	}, "\n")
}

func taskTraceback(line int, function, excType, detail string) string {
	return strings.Join([]string{
		"Traceback (most recent call last):",
		fmt.Sprintf(`  File "/app/grading/tasks.py", line %d, in %s`, line, function),
		"    result = GradingService." + strings.TrimPrefix(function, "async_") + "(",
		excType + ": " + detail,
	}, "\n")
}

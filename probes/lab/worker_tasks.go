package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// taskTable is the application's registered tasks, by dotted name.
type taskTable map[string]task

// task is one registered task with its Python signature.
type task struct {
	params   []string // in order; those from the index required on have defaults
	required int
	run      func(ctx context.Context, args taskArgs) (any, error)
}

// taskArgs are bound arguments: what was given, by parameter name.
type taskArgs map[string]any

func (a taskArgs) str(name string) string {
	if a[name] == nil {
		return ""
	}
	return fmt.Sprint(a[name])
}

func (a taskArgs) int(name string) int64 {
	f, _ := a[name].(float64)
	return int64(f)
}

// taskFailure is an exception that left the task: Celery's FAILURE. The
// grading tasks never have one, they return their errors.
type taskFailure struct {
	excType, message, module string
}

func (f *taskFailure) Error() string { return f.excType + ": " + f.message }

func (f *taskFailure) object() object {
	return object{{"exc_type", f.excType}, {"exc_message", []string{f.message}}, {"exc_module", f.module}}
}

func (f *taskFailure) traceback() string {
	return "Traceback (most recent call last):\n" +
		"  File \"/usr/local/lib/python3.11/site-packages/celery/app/trace.py\", line 477, in trace_task\n" +
		"    R = retval = fun(*args, **kwargs)\n" + f.Error() + "\n"
}

func notRegistered(name string) *taskFailure {
	return &taskFailure{"NotRegistered", name, "celery.exceptions"}
}

// run executes a job: a result, or the exception that left the task.
func (t taskTable) run(ctx context.Context, j *job) (any, *taskFailure) {
	def, ok := t[j.task]
	if !ok {
		return nil, notRegistered(j.task)
	}
	args, err := def.bind(j)
	if err != nil {
		return nil, &taskFailure{"TypeError", err.Error(), "builtins"}
	}
	value, err := def.run(ctx, args)
	if err != nil {
		return nil, &taskFailure{"RuntimeError", err.Error(), "builtins"}
	}
	return value, nil
}

func (t taskTable) names() []string { return slices.Sorted(maps.Keys(t)) }

// bind gives arguments to parameters as Python does, its errors included.
func (t task) bind(j *job) (taskArgs, error) {
	name := j.task[strings.LastIndexByte(j.task, '.')+1:]
	if len(j.args) > len(t.params) {
		return nil, fmt.Errorf("%s() takes %d positional arguments but %d were given", name, len(t.params), len(j.args))
	}
	bound := taskArgs{}
	for i, raw := range j.args {
		bound[t.params[i]] = pyValue(raw)
	}
	for key, raw := range j.kwargs {
		if !slices.Contains(t.params, key) {
			return nil, fmt.Errorf("%s() got an unexpected keyword argument '%s'", name, key)
		}
		if _, twice := bound[key]; twice {
			return nil, fmt.Errorf("%s() got multiple values for argument '%s'", name, key)
		}
		bound[key] = pyValue(raw)
	}
	return bound, t.missing(name, bound)
}

func (t task) missing(name string, bound taskArgs) error {
	var missing []string
	for _, param := range t.params[:t.required] {
		if _, ok := bound[param]; !ok {
			missing = append(missing, "'"+param+"'")
		}
	}
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s() missing 1 required positional argument: %s", name, missing[0])
	}
	last := len(missing) - 1
	return fmt.Errorf("%s() missing %d required positional arguments: %s and %s",
		name, len(missing), strings.Join(missing[:last], ", "), missing[last])
}

// pyValue reads an argument, with kombu's own form of a UUID (from 5.3 on).
func pyValue(raw json.RawMessage) any {
	var typed struct {
		Type  string `json:"__type__"`
		Value struct {
			Hex string `json:"hex"`
		} `json:"__value__"`
	}
	if json.Unmarshal(raw, &typed) == nil && typed.Type == "uuid" {
		return typed.Value.Hex
	}
	var v any
	_ = json.Unmarshal(raw, &v)
	return v
}

// tasks is what this generation of the application registers.
func (a *app) tasks() taskTable {
	finalize := task{params: []string{"copy_id", "user_id", "lock_token"}, required: 2, run: a.taskFinalize}
	imports := task{params: []string{"exam_id", "pdf_path", "user_id", "anonymous_id"}, required: 4, run: a.taskImport}
	if a.dialect == Playbook {
		imports = task{params: []string{"copy_id", "user_id"}, required: 2, run: a.taskImportInto}
	} else if !a.routed {
		// From 02-11 on both take the id of the request that queued them.
		finalize.params = append(finalize.params, "request_id")
		imports.params = append(imports.params, "request_id")
	}
	t := taskTable{
		"grading.tasks.async_finalize_copy":    finalize,
		"grading.tasks.async_import_pdf":       imports,
		"grading.tasks.cleanup_orphaned_files": {run: a.taskNothing},
		"core.celery.debug_task":               {run: a.taskNothing},
	}
	if a.routed {
		t["grading.tasks.async_batch_import"] = task{
			params: []string{"exam_id", "pdf_paths", "user_id"}, required: 3, run: a.taskNothing,
		}
	} else if a.dialect == Deployed {
		t["grading.tasks.update_copy_status_metrics"] = task{run: a.taskNothing}
	}
	return t
}

func (a *app) taskNothing(context.Context, taskArgs) (any, error) { return nil, nil }

// taskFinalize catches everything and returns it: Celery sees a SUCCESS.
func (a *app) taskFinalize(ctx context.Context, args taskArgs) (any, error) {
	copyID := canonicalUUID(args.str("copy_id"))
	a.logs.write(finalizeStarted(copyID))
	score, err := a.finalize(ctx, finalization{copy: copyID, user: args.int("user_id"), token: args.str("lock_token")})
	if err != nil {
		f := asAppError(err)
		a.logs.write(finalizeTaskFailed(copyID, f.detail, f.exc))
		return object{{"copy_id", args.str("copy_id")}, {"status", "error"}, {"detail", f.detail}, {"attempt", 1}}, nil
	}
	return object{{"copy_id", args.str("copy_id")}, {"status", "done"}, {"final_score", score}, {"attempt", 1}}, nil
}

// taskImport is the deployed task: it makes a new copy from a file that the
// worker can read; the anonymous id that is given is ignored.
func (a *app) taskImport(ctx context.Context, args taskArgs) (any, error) {
	copyID, err := a.importFile(ctx, canonicalUUID(args.str("exam_id")), args.str("pdf_path"), args.int("user_id"))
	if err != nil {
		f := asAppError(err)
		a.logs.write(importTaskFailed(args.str("pdf_path"), f.detail, f.exc))
		return object{{"status", "error"}, {"detail", f.detail}, {"attempt", 1}}, nil
	}
	return object{{"copy_id", copyID}, {"status", "done"}, {"attempt", 1}}, nil
}

// taskImportInto is the playbook's task: it fills the copy that waits for its
// pages.
func (a *app) taskImportInto(ctx context.Context, args taskArgs) (any, error) {
	copyID := canonicalUUID(args.str("copy_id"))
	if err := a.importPages(ctx, copyID, args.int("user_id")); err != nil {
		f := asAppError(err)
		a.logs.write(importTaskFailed("copy "+copyID, f.detail, f.exc))
		return object{{"copy_id", copyID}, {"status", "error"}, {"detail", f.detail}, {"attempt", 1}}, nil
	}
	return object{{"copy_id", copyID}, {"status", "done"}, {"attempt", 1}}, nil
}

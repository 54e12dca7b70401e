-- The tables whose columns the deployed system and the playbook name differently.
CREATE TABLE exams_exam (
    id uuid PRIMARY KEY,
    name varchar(255) NOT NULL,
    date date NOT NULL,
    is_processed boolean NOT NULL,
    grading_structure jsonb NOT NULL,
    pdf_source varchar(100),
    pages_per_booklet integer NOT NULL CHECK (pages_per_booklet >= 0),
    upload_mode varchar(20) NOT NULL,
    students_csv varchar(100),
    created_at timestamptz,
    updated_at timestamptz,
    results_released_at timestamptz
);

CREATE TABLE exams_copy (
    id uuid PRIMARY KEY,
    anonymous_id varchar(50) NOT NULL UNIQUE,
    final_pdf varchar(100),
    status varchar(20) NOT NULL,
    exam_id uuid NOT NULL REFERENCES exams_exam DEFERRABLE INITIALLY DEFERRED,
    is_identified boolean NOT NULL,
    student_id bigint REFERENCES students_student DEFERRABLE INITIALLY DEFERRED,
    graded_at timestamptz,
    locked_at timestamptz,
    validated_at timestamptz,
    locked_by_id integer REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED,
    pdf_source varchar(100),
    grading_error_message text,
    grading_retries integer NOT NULL CHECK (grading_retries >= 0),
    assigned_corrector_id integer REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED,
    dispatch_run_id uuid,
    assigned_at timestamptz,
    global_appreciation text,
    subject_variant varchar(1)
);
CREATE INDEX exams_copy_anonymous_id_like ON exams_copy (anonymous_id varchar_pattern_ops);
CREATE INDEX exams_copy_exam_id ON exams_copy (exam_id);
CREATE INDEX exams_copy_student_id ON exams_copy (student_id);
CREATE INDEX exams_copy_locked_by_id ON exams_copy (locked_by_id);
CREATE INDEX exams_copy_assigned_corrector_id ON exams_copy (assigned_corrector_id);

CREATE TABLE grading_annotation (
    id uuid PRIMARY KEY,
    page_index integer NOT NULL CHECK (page_index >= 0),
    x double precision NOT NULL,
    y double precision NOT NULL,
    w double precision NOT NULL,
    h double precision NOT NULL,
    content text NOT NULL,
    type varchar(20) NOT NULL,
    score_delta integer,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    copy_id uuid NOT NULL REFERENCES exams_copy DEFERRABLE INITIALLY DEFERRED,
    created_by_id integer NOT NULL REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED,
    version integer NOT NULL CHECK (version >= 0)
);
CREATE INDEX grading_annotation_copy_id ON grading_annotation (copy_id);
CREATE INDEX grading_annotation_created_by_id ON grading_annotation (created_by_id);

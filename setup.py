"""What pyproject.toml cannot say: an editable installation, too, puts the page's files into the environment."""

from setuptools import Distribution, setup


class WithData(Distribution):
    """A distribution whose data files setuptools finds when it builds an editable wheel."""

    has_data = Distribution.has_data_files


setup(distclass=WithData)
